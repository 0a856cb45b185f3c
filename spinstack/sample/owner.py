"""The user and group that own the sample data."""

from __future__ import annotations

# An unprivileged number that no user of this machine has, and DESI's group at NERSC.
UID = 41037
GID = 58102
