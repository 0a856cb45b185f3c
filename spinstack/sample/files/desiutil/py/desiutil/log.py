"""Sample code of spinstack's rehearsal: a logger under the name that DESI's code uses."""

from __future__ import annotations

import logging


def get_logger() -> logging.Logger:
    """A logger to standard error, which a container's log shows."""
    logger = logging.getLogger("desi")
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    return logger
