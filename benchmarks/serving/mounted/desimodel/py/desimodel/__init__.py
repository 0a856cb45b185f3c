"""Mounted as the real one is; the pages here need nothing of it."""
