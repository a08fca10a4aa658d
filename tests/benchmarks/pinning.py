"""Which cores the measured process gets, and which all else."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ALL = frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else frozenset({0})


def measured_core() -> set[int]:
    """Return the core of what is measured: two hardware threads of one core slow each other down,
    and a CPU-second would mean something else from moment to moment."""
    return {max(_ALL)}


def all_but_measured() -> set[int]:
    """Return the other cores; the same one where it is the only one."""
    return set(_ALL - measured_core()) or measured_core()


@contextmanager
def pinned(cores: set[int]) -> Iterator[None]:
    """Let this thread, and processes that it starts meanwhile, run on these cores only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
