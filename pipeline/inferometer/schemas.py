"""Finds the published contracts: in an installed wheel inside the package, else in the checkout."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from inferometer.errors import StateError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_PACKAGED = "_schemas"
_CHECKOUT = Path(__file__).resolve().parents[2] / "schemas"


def schema_path(name: str) -> Traversable:
    """Return a file or folder of `schemas/`, such as `clickhouse` or `events/x.schema.json`.

    Raises StateError where the installation lacks it.
    """
    # The wheel first: an editable install has no copy, so that the repository's files show at once.
    for root in (resources.files("inferometer") / _PACKAGED, _CHECKOUT):
        found = root.joinpath(name)
        if found.is_file() or found.is_dir():
            return found
    raise StateError(f"schemas/{name} is not part of this installation; reinstall inferometer")
