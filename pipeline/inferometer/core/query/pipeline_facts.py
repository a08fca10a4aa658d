"""What the pipeline's page says of itself, and whether each of it is as it should be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from inferometer.core.query.answers import Freshness

    Row = dict[str, Any]

LEDGER_COLUMNS = ("chunks", "records", "events", "stored", "dead", "duplicates")
LATE = timedelta(minutes=5)
"""Chunks are cut every few seconds, and a watermark trails by half a minute."""


@dataclass(frozen=True, slots=True)
class Check:
    """One promise of the pipeline, and whether it holds."""

    name: str
    is_ok: bool
    detail: str


@dataclass(frozen=True, kw_only=True)
class PipelineAnswer:
    """How the way in is: by partition, what was refused, what was folded."""

    partitions: list[Row]
    freshness: Freshness
    dead_letters: list[Row]
    folded: list[Row]
    ledger: dict[str, int]
    """Sums of the last hour's chunks."""
    checks: list[Check]


def ledger_of(partitions: Sequence[Row]) -> dict[str, int]:
    """Return the account of all partitions."""
    return {name: sum(int(row.get(name) or 0) for row in partitions) for name in LEDGER_COLUMNS}


def checks_of(
    *,
    partitions: Sequence[Row],
    freshness: Freshness,
    dead_letters: Sequence[Row],
    folded: Sequence[Row],
    now: datetime,
) -> list[Check]:
    """Return what is promised, in the order in which one would look."""
    return [
        _fresh(freshness, now),
        _in_step(partitions),
        _accounted(ledger_of(partitions)),
        _accepted(dead_letters),
        _kept_apart(folded),
    ]


def _fresh(freshness: Freshness, now: datetime) -> Check:
    if freshness.watermark is None:
        return Check("fresh", is_ok=False, detail="Nothing is stored yet: start a producer.")
    lag_s = max(0.0, (now - freshness.watermark).total_seconds())
    return Check(
        "fresh",
        is_ok=lag_s <= LATE.total_seconds(),
        detail=f"Complete up to {freshness.watermark:%Y-%m-%d %H:%M:%SZ}, {lag_s:.0f} s ago.",
    )


def _in_step(partitions: Sequence[Row]) -> Check:
    marks = {row["kafka_partition"]: row["watermark"] for row in partitions if row["watermark"]}
    if not marks:
        return Check("in_step", is_ok=True, detail="No partition has been read yet.")
    last = min(marks, key=lambda partition: marks[partition])
    behind = max(marks.values()) - marks[last]
    if behind <= LATE:
        detail = f"{len(marks)} partitions are within {behind.total_seconds():.0f} s of each other."
        return Check("in_step", is_ok=True, detail=detail)
    detail = f"Partition {last} is {behind.total_seconds():.0f} s behind; see its worker's log."
    return Check("in_step", is_ok=False, detail=detail)


def _accounted(ledger: dict[str, int]) -> Check:
    known = ledger["stored"] + ledger["dead"] + ledger["duplicates"]
    is_ok = known == ledger["events"]
    detail = (
        f"Each of {ledger['events']} events of the last hour is stored, refused or a duplicate."
        if is_ok
        else f"{ledger['events'] - known} events of the last hour have no fate; run inferometer audit."
    )
    return Check("accounted", is_ok, detail)


def _accepted(dead_letters: Sequence[Row]) -> Check:
    count = sum(int(row["count"]) for row in dead_letters)
    if not count:
        return Check("accepted", is_ok=True, detail="No event was refused in this range.")
    worst = max(dead_letters, key=lambda row: int(row["count"]))
    detail = f"{count} events were refused in this range, most for {worst['reason']}."
    return Check("accepted", is_ok=False, detail=detail)


def _kept_apart(folded: Sequence[Row]) -> Check:
    names = sorted({row["dimension"] for row in folded if int(row["folded_events"] or 0) > 0})
    if not names:
        return Check("kept_apart", is_ok=True, detail="Every value has roll-up rows of its own.")
    detail = f"Roll-ups count further values of {', '.join(names)} as __other__; the log has all."
    return Check("kept_apart", is_ok=False, detail=detail)
