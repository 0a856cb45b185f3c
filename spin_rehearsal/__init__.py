"""A pretend NERSC on this machine: ssh login node, Rancher, registry and global storage.

Imported by nothing but its own tasks and the tests: to the rest, a rehearsal is one more
destination with a host name and a port.
"""
