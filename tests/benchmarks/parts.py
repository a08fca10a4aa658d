"""What `make bench` knows of a part: a measurement of ours that is no race against peers.

A part is a module that has `PART`. Its `run` gets `Surroundings` and returns tables; the harness
prints and stores them with the machine facts. It cleans up after itself, prints nothing on stdout,
and raises with the reason where it cannot be measured.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OWN_PARTS = ("pipeline", "protocol", "steps", "store", "faust")
"""What `own_parts.py` measures."""

PARTS = (
    "latency", "memory", "start", "burst", "scaling", "disk", "core_profile", "sdk", "alerts",
    "queries",
)  # fmt: skip
"""Modules of this folder that have `PART`, in the order in which they run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where a part runs."""

    bootstrap_servers: str
    """A running Apache Kafka, or empty where there is none (`needs_kafka` parts are then skipped)."""
    folder: Path
    """Scratch, empty, removed afterwards."""
    results: Path
    """tests/benchmarks/results: for files beside the tables, such as a flame graph."""
    is_quick: bool
    """It is one part of a whole `make bench`: two minutes at most, even if figures are coarser."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table of results; cells are text as it is to be read, with units in the headers."""

    title: str
    headers: tuple[str, ...]
    rows: list[list[str]]
    notes: list[str] = field(default_factory=list)
    """Sentences below the table: conditions, limits."""
    facts: dict[str, object] = field(default_factory=dict)
    """The figures for machines: goes into the JSON as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part."""

    what: str
    """A phrase: `event to visible, at 70 % load`."""
    run: Callable[[Surroundings], list[Table]]
    needs_kafka: bool = True


def find_part(name: str) -> Part:
    """Return a part. Raises ImportError and AttributeError where there is none."""
    part: Part = importlib.import_module(f"tests.benchmarks.{name}").PART
    return part
