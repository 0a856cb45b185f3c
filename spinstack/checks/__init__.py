"""Checks of a stack before anything is touched.

On this machine from the stack's own files (`stack`), and on the login node (`login_node`). Each
finding says what is wrong, where, and how to fix it; `rules.yaml` has the reason and the source
of every rule.
"""

from __future__ import annotations
