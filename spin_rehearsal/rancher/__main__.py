"""`python -m ...rancher`: the client."""

from .main import run_as_program

run_as_program()
