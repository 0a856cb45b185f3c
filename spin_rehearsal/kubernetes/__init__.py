"""A pretend Spin in a Kubernetes at hand: a namespace with Spin's policies, its stamps, and the
login of a project member."""
