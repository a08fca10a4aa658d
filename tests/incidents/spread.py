"""Spreads independent pieces of work over processes."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Given = TypeVar("Given")
Found = TypeVar("Found")


def spread(make: Callable[[Given], Found], given: Sequence[Given], jobs: int) -> list[Found]:
    """Return what is made of each piece, in order; in this process where `jobs` is one."""
    if jobs <= 1:
        return [make(each) for each in given]
    with ProcessPoolExecutor(jobs) as pool:
        return list(pool.map(make, given))
