"""Stands in for nightwatch: pages of a known price, with the imports of the real one."""
