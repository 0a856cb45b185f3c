"""spinstack: carry a web stack from a laptop to NERSC's Spin, and keep it running there."""

__version__ = "0.1.0"
