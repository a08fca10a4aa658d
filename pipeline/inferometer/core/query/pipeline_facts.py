"""What the pipeline's page says of itself, and whether each of it is as it should be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

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
    zone: str = "UTC",
) -> list[Check]:
    """Return what is promised, in the order in which one would look; times are told in a zone."""
    return [
        _fresh(freshness, now, zone),
        _in_step(partitions),
        _accounted(ledger_of(partitions)),
        _accepted(dead_letters),
        _kept_apart(folded),
    ]


def _fresh(freshness: Freshness, now: datetime, zone: str) -> Check:
    if freshness.watermark is None:
        return Check("fresh", is_ok=False, detail="Nothing is stored yet: start a producer.")
    lag = max(timedelta(), now - freshness.watermark)
    until = freshness.watermark.astimezone(ZoneInfo(zone))
    return Check(
        "fresh",
        is_ok=lag <= LATE,
        detail=f"Complete up to {until:%Y-%m-%d %H:%M:%S} {zone}, {_in_words(lag)} ago.",
    )


def _in_step(partitions: Sequence[Row]) -> Check:
    marks = {row["kafka_partition"]: row["watermark"] for row in partitions if row["watermark"]}
    if not marks:
        return Check("in_step", is_ok=True, detail="No partition has been read yet.")
    if len(marks) == 1:
        return Check("in_step", is_ok=True, detail="One partition is read.")
    last = min(marks, key=lambda partition: marks[partition])
    behind = max(marks.values()) - marks[last]
    if behind <= LATE:
        detail = f"{len(marks)} partitions are within {_in_words(behind)} of each other."
        return Check("in_step", is_ok=True, detail=detail)
    detail = f"Partition {last} is {_in_words(behind)} behind; see its worker's log."
    return Check("in_step", is_ok=False, detail=detail)


def _accounted(ledger: dict[str, int]) -> Check:
    known = ledger["stored"] + ledger["dead"] + ledger["duplicates"]
    is_ok = known == ledger["events"]
    detail = (
        f"Each of the {ledger['events']:,} events of the last hour is stored, refused or a duplicate."
        if is_ok
        else f"{ledger['events'] - known:,} events of the last hour have no fate: "
        "run inferometer audit."
    )
    return Check("accounted", is_ok, detail)


def _accepted(dead_letters: Sequence[Row]) -> Check:
    count = sum(int(row["count"]) for row in dead_letters)
    if not count:
        return Check("accepted", is_ok=True, detail="No event was refused in this range.")
    worst = max(dead_letters, key=lambda row: int(row["count"]))
    events = "1 event was" if count == 1 else f"{count:,} events were"
    detail = f"{events} refused in this range, most for {worst['reason']}."
    return Check("accepted", is_ok=False, detail=detail)


def _kept_apart(folded: Sequence[Row]) -> Check:
    names = sorted({row["dimension"] for row in folded if int(row["folded_events"] or 0) > 0})
    if not names:
        return Check("kept_apart", is_ok=True, detail="Every value has roll-up rows of its own.")
    detail = f"Roll-ups count further values of {', '.join(names)} as __other__; the log has all."
    return Check("kept_apart", is_ok=False, detail=detail)


def _in_words(span: timedelta) -> str:
    """Write a span in its two largest units, as the console does: `2 d 3 h`, `45 s`."""
    rest, parts = round(span.total_seconds()), []
    for unit, seconds in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, seconds)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"
