"""Checks of a stack before anything is touched.

On the laptop from the stack's own files (`stack`), and on
the login node (`there`). Each finding says what is wrong, where, and how to mend it;
`rules.yaml` tells the reason and the source of every rule.
"""

from __future__ import annotations
