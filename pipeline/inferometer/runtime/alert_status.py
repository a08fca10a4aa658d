"""How every group of every objective stands, read from the state that evaluation keeps.

No evaluator needs to run or be asked; the answer is as old as the last snapshot, and says so.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from inferometer.core.alerts.conditions import Condition
from inferometer.core.alerts.mute_book import MAINTENANCE, SILENCE
from inferometer.core.slo.board_snapshots import restored
from inferometer.core.slo.definitions import Severity
from inferometer.kafka.alert_outputs import KafkaSnapshots
from inferometer.kafka.alert_producer import AlertProducer
from inferometer.kafka.partition_reader import PartitionReader
from inferometer.kafka.topics import describe_topic
from inferometer.runtime.alert_setup import load_setup, member_settings, topic_names

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from inferometer.config import Settings
    from inferometer.core.alerts.incidents import Incident
    from inferometer.core.alerts.subjects import Observation
    from inferometer.core.slo.board import Board
    from inferometer.core.slo.board_snapshots import Kept
    from inferometer.runtime.alert_setup import AlertSetup

Row = dict[str, Any]


def read_status(settings: Settings, environ: Mapping[str, str]) -> list[Row]:
    """Return one row a group. Raises ConfigError, BrokerError, StoreError and StateError."""
    setup = load_setup(settings, environ, needs_receivers=False)
    topic = topic_names(settings).state
    kafka = member_settings(settings, topic, "status").kafka
    partitions = describe_topic(kafka, topic).partitions
    rows: list[Row] = []
    with AlertProducer(kafka) as producer, PartitionReader(kafka) as reader:
        snapshots = KafkaSnapshots(producer, reader, topic)
        for partition in range(partitions):
            kept = snapshots.latest(partition)
            if not kept.is_empty:
                rows += status_rows(_board(kept, setup, partition, partitions))
    return sorted(rows, key=lambda row: (row["workspace"], row["slo"], str(row["group"])))


def _board(kept: Kept, setup: AlertSetup, partition: int, partitions: int) -> Board:
    lanes = setup.lanes(partition, partitions)
    return restored(kept, topics=(), lanes=lanes, new_alerts=setup.alerts).board


def status_rows(board: Board) -> Iterator[Row]:
    """Yield how each group of a board stands at its last tick."""
    tick_s = board.reducer.last_tick_s
    if tick_s is None:
        return
    both = (*board.alerts.incidents(), *board.clock_alerts.incidents())
    # A group may have several: one of its own for each rule that is told once.
    incidents = {
        replace(incident.subject, kind=""): incident for incident in sorted(both, key=_weight)
    }
    for lane in board.own_lanes():
        for _observation in lane.observe(tick_s, ()):
            pass
        for standing in lane.standing():
            yield _row(standing, incidents.get(standing.subject), tick_s)


def _weight(incident: Incident) -> tuple[bool, bool, bool]:
    return incident.is_firing, incident.severity is Severity.PAGE, not incident.is_apart


def _row(standing: Observation, incident: Incident | None, tick_s: int) -> Row:
    budget, subject = standing.budget, standing.subject
    firing = incident if incident is not None and incident.is_firing else None
    return {
        "workspace": subject.workspace,
        "service": subject.service,
        "slo": subject.name,
        "group": dict(subject.group),
        "state": _state(standing, incident),
        "severity": str(incident.severity) if incident is not None else "",
        "incident_id": incident.incident_id if incident is not None else "",
        "burn": _burn(standing, () if firing is None else firing.rules),
        "budget_left": None if budget is None else round(budget.remaining, 4),
        "exhausts_in_s": None if budget is None else budget.exhausts_in_s,
        "true_rules": [
            reading.rule for reading in standing.readings if reading.condition is Condition.TRUE
        ],
        "suppressed_by": ([] if firing is None else [*firing.silenced_by, *firing.inhibited_by]),
        "at": datetime.fromtimestamp(tick_s, tz=UTC).isoformat(),
    }


def _burn(standing: Observation, firing: Collection[str]) -> float | None:
    """Return the burn of the most urgent rule that fires or is true, else of the first rule."""
    burns = [
        (
            (
                reading.rule in firing,
                reading.condition is Condition.TRUE,
                reading.severity is Severity.PAGE,
            ),
            reading.facts.long.burn,
        )
        for reading in standing.readings
        if reading.facts is not None and reading.facts.long is not None
    ]
    return round(max(burns, key=lambda one: one[0])[1], 3) if burns else None


def _state(standing: Observation, incident: Incident | None) -> str:
    if incident is not None and incident.is_firing:
        return "stale" if incident.is_stale else "firing"
    if incident is not None:
        return "resolved"
    known = [reading for reading in standing.readings if reading.condition is not Condition.UNKNOWN]
    return "ok" if known else "no data"


def status_table(rows: list[Row]) -> str:
    """Return rows for people: objectives and budgets, and of other rules what is not well."""
    if rows:
        rows = [row for row in rows if row["budget_left"] is not None or row["incident_id"]]
    if not rows:
        return "no state yet: `inferometer alerts` keeps it once requests have been counted"
    heads = ("OBJECTIVE", "GROUP", "STATE", "BURN", "BUDGET LEFT", "EXHAUSTS IN", "RULES")
    lines = [heads, *(_cells(row) for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(heads))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _cells(row: Row) -> tuple[str, ...]:
    place = f"{row['workspace']}/{row['slo']}" if row["workspace"] else row["slo"]
    left, ends = row["budget_left"], row["exhausts_in_s"]
    return (
        place,
        ",".join(f"{name}={value}" for name, value in row["group"].items()) or "-",
        f"{row['state']} {row['severity']}".strip() + _suppression(row["suppressed_by"]),
        "-" if row["burn"] is None else f"{row['burn']:g}",
        "-" if left is None else f"{left:.1%}",
        "-" if ends is None else _span(ends),
        ",".join(row["true_rules"]) or "-",
    )


def _suppression(suppressed_by: list[str]) -> str:
    if not suppressed_by:
        return ""
    by_people = any(each.startswith((SILENCE, MAINTENANCE)) for each in suppressed_by)
    return ", silenced" if by_people else ", inhibited"


def _span(seconds: int) -> str:
    if seconds >= 2 * 86_400:
        return f"{seconds / 86_400:.1f} d"
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds // 60} min"
