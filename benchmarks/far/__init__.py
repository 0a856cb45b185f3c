"""A login node 40 ms away, made of two network namespaces, and all that is measured there."""
