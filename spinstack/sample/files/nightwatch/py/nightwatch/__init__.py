"""Sample code of spinstack's rehearsal (BSD-3-Clause), standing in for DESI's nightwatch.

It has the functions that the web application calls, with the same arguments, and draws
the sample's FITS files.
"""

__version__ = "1.0.1+sample"
