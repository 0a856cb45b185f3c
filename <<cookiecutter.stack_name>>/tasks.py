"""The tasks of this stack come from the package spinstack: `invoke --list` shows them."""

import sys

try:
    from spinstack.tasks import ns
except ModuleNotFoundError as error:
    print(
        f"These tasks come from the package spinstack, but {error.name} is not installed: "
        "run `pip install spinstack` in the Python environment of your invoke.",
        file=sys.stderr,
    )
    raise SystemExit(2) from None

__all__ = ["ns"]
