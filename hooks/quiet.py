"""Lets cookiecutter refuse wrong answers without a traceback.

Cookiecutter logs one whenever a hook refuses, which would bury what the hook has printed.
Listed in `_extensions` of cookiecutter.json: that is how a template gets code into
cookiecutter's own process.
"""

import logging

from jinja2.ext import Extension


def without_traceback(record):
    record.exc_info = record.exc_text = None
    return True


class Quiet(Extension):
    """Adds nothing to the template language."""

    def __init__(self, environment):
        super().__init__(environment)
        # Adding the same filter again changes nothing.
        logging.getLogger("cookiecutter.hooks").addFilter(without_traceback)
