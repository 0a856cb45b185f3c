"""What is measured of the command line itself: whole processes, on this machine alone."""
