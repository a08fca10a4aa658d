"""What one event, chunk or row costs, as measured, and the machines that a sizing assumes.

Invariants: every figure names what it was measured with and when, or that it is assumed; a figure
that differs between full and lean events has both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from inferometer.errors import StateError

EventShape = Literal["full", "lean", "arrow"]
SHAPES: tuple[EventShape, ...] = get_args(EventShape)


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of the data file, and where it comes from."""

    name: str
    values: Mapping[str, float]
    """By shape of event; the same value twice where the shape does not matter."""
    unit: str
    what: str
    source: str
    """The command that measured it, or a sentence that begins with `assumed`."""
    date: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitCosts:
    """All that a sizing multiplies, for one shape of event; fields are named as the figures."""

    worker_event_us: float
    worker_chunk_ms: float
    worker_efficiency: float
    worker_memory_mib: float
    store_event_us: float
    store_merge_event_us: float
    store_chunk_ms: float
    broker_event_us: float
    value_bytes: float
    wire_bytes: float
    insert_bytes: float
    log_row_bytes: float
    service_row_bytes: float
    usage_row_bytes: float
    hash_bytes: float
    merge_rewrites: float
    token_window: float
    utilisation: float
    node_cores: float
    node_disk_tb: float
    disk_fill: float
    disk_write_mb_s: float
    nic_gbit_s: float
    nic_utilisation: float
    parts_delay: float
    merge_pause_s: float
    broker_partitions: float
    group_members: float
    worker_memory_limit_mib: float


def read_figures(document: Mapping[str, Any]) -> tuple[Figure, ...]:
    """Return the figures of a parsed data file. Raises StateError where it is not whole."""
    found = tuple(_figure(name, entry) for name, entry in document.items())
    wanted = {field.name for field in fields(UnitCosts)}
    if missing := sorted(wanted - {figure.name for figure in found}):
        raise StateError(f"the unit costs lack {', '.join(missing)}; add them with their source")
    if unknown := sorted({figure.name for figure in found} - wanted):
        raise StateError(f"nothing uses the unit costs {', '.join(unknown)}; remove them")
    return found


def costs_of(figures: tuple[Figure, ...], shape: EventShape) -> UnitCosts:
    """Return what events of a shape cost."""
    return UnitCosts(**{figure.name: figure.values[shape] for figure in figures})


def _value(entry: Mapping[str, Any], shape: EventShape) -> float:
    # An event in an Arrow record is a full one by another way.
    whole = entry["full"] if "full" in entry else entry["value"]
    return float(entry["lean"] if shape == "lean" and "lean" in entry else entry.get(shape, whole))


def _figure(name: str, entry: Mapping[str, Any]) -> Figure:
    try:
        values: dict[str, float] = {shape: _value(entry, shape) for shape in SHAPES}
        texts = {key: str(entry[key]) for key in ("unit", "what", "source", "date")}
    except (KeyError, TypeError, ValueError) as error:
        raise StateError(
            f"the unit cost {name} is not whole: give value, or full and lean, and unit, what, "
            "source, date"
        ) from error
    return Figure(name, values, **texts)
