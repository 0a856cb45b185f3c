"""The rehearsal's `rancher`: a client with the manners of Rancher's CLI 0.6.7.

Everything here but `install` is copied beside a login node's home and runs there on its own,
under an account that can't read spinstack: Python 3.9 or later, the standard library, and a
copy of PyYAML. So its modules import each other relatively and nothing else of spinstack.
"""
