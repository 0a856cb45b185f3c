"""The checkouts of `invoke.yaml`: for all destinations, with what one says itself on top."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spinstack.config import settings
from spinstack.config.settings import Checkout
from spinstack.errors import UsageError

URL = "https://github.com/desihub/nightwatch"


def load(everywhere: Any, **dev: Any) -> tuple[Checkout, ...]:
    """The checkouts of the destination `dev`."""
    raw = {
        "stack": "demo",
        "destination": "dev",
        "project_dir": "/global/cfs/cdirs/desi/demo",
        "checkouts": everywhere,
        "destinations": {"dev": {"environment": "dev-cattle", **dev}},
    }
    return settings.load({"spinstack": raw}, Path("/somewhere")).destination().checkouts


def test_a_destination_says_only_what_differs() -> None:
    everywhere = {"CODE_DIR": {"url": URL, "ref": "main"}}
    assert load(everywhere) == (Checkout("CODE_DIR", URL, "main"),)
    here = {"CODE_DIR": {"ref": "1.0.1"}}
    assert load(everywhere, checkouts=here) == (Checkout("CODE_DIR", URL, "1.0.1"),)
    assert load({"CODE_DIR": {"url": URL}}) == (Checkout("CODE_DIR", URL, ""),)
    assert load(None) == ()


@pytest.mark.parametrize(
    ("checkout", "said"),
    [
        (URL, "CODE_DIR must be a mapping"),
        ({"ref": "main"}, "url is missing"),
        ({"url": URL, "branch": "main"}, "unknown setting 'branch'"),
        ({"url": URL, "ref": 1.0}, "must be text, not 1.0"),
        ({"url": "--upload-pack=x"}, "is not a url"),
        ({"url": URL, "ref": "--orphan"}, "is not a ref"),
    ],
)
def test_a_wrong_checkout_is_named(checkout: Any, said: str) -> None:
    with pytest.raises(UsageError) as error:
        load({"CODE_DIR": checkout})
    assert said in str(error.value)
    assert "checkouts.CODE_DIR" in error.value.where
