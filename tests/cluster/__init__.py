"""A real Kubernetes of one node for the tests; README.md says how it works."""
