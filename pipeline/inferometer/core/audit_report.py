"""The outcome of an audit: totals, what differs, what was not checked, what was repaired.

Invariant: `is_ok` is true only when nothing differs, or all that differed was repaired; what could
not be checked is listed, never counted as checked.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from inferometer.core.conservation import Difference, Kind, Skipped, instant

if TYPE_CHECKING:
    from inferometer.core.audit_spans import Slice

MAX_DIFFERENCES = 1000
"""Listed one by one; beyond it they are only counted."""


@dataclass(slots=True)
class PartitionAccount:
    """What became of the records of one partition of one incarnation of the topic."""

    topic: str
    partition: int
    stream_id: str
    first_offset: int | None = None
    last_offset: int | None = None
    chunks: int = 0
    records: int = 0
    events: int = 0
    stored: int = 0
    dead: int = 0
    duplicates: int = 0
    log_rows: int = 0
    dead_letter_rows: int = 0
    holes: int = 0
    """Offsets without a record: transaction markers, aborted or compacted records."""
    committed: int | None = None
    low: int | None = None
    high: int | None = None
    lag: int | None = None
    """Offsets that the group has not passed; None without a broker, or for another incarnation."""
    open_chunk: tuple[int, int] | None = None


@dataclass(slots=True)
class TableAccount:
    """What was checked of one roll-up table."""

    table: str
    windows: int = 0
    groups: int = 0
    differing_windows: int = 0
    differing_groups: int = 0


@dataclass(frozen=True, slots=True)
class Repair:
    """A block of signed deltas that brings one window of a roll-up table back to the log."""

    table: str
    token: str
    window_start_s: int
    groups: int


@dataclass(slots=True)
class AuditReport:
    """Everything that an audit has to say."""

    span: Slice
    partitions: list[PartitionAccount] = field(default_factory=list)
    tables: list[TableAccount] = field(default_factory=list)
    events_checked: int = 0
    """Rows of the log whose event_id was held against all others."""
    differences: list[Difference] = field(default_factory=list)
    """At most `MAX_DIFFERENCES` of them."""
    counts: Counter[Kind] = field(default_factory=Counter)
    """All of them."""
    repaired_total: int = 0
    """Differences among these that a repair has removed."""
    skipped: list[Skipped] = field(default_factory=list)
    repairs: list[Repair] = field(default_factory=list)

    @property
    def is_ok(self) -> bool:
        """Say whether nothing differs any more."""
        return self.differences_total == self.repaired_total

    @property
    def differences_total(self) -> int:
        """Return how many differences there are, listed or not."""
        return self.counts.total()

    def add(self, *found: Difference) -> None:
        """Note differences; list them while there is room."""
        room = max(0, MAX_DIFFERENCES - len(self.differences))
        self.differences += found[:room]
        self.counts.update(one.kind for one in found)

    def totals(self) -> dict[str, int]:
        """Return the sums over all partitions."""
        names = [
            "chunks",
            "records",
            "events",
            "stored",
            "dead",
            "duplicates",
            "log_rows",
            "dead_letter_rows",
            "holes",
        ]
        result = {name: sum(getattr(one, name) for one in self.partitions) for name in names}
        result["lag"] = sum(one.lag or 0 for one in self.partitions)
        result["windows"] = sum(table.windows for table in self.tables)
        result["groups"] = sum(table.groups for table in self.tables)
        return result

    def as_dict(self) -> dict[str, Any]:
        """Return the whole report, for JSON."""
        return {
            "ok": self.is_ok,
            "from": instant(self.span.from_s),
            "to": instant(self.span.to_s),
            "totals": {**self.totals(), "events_checked": self.events_checked},
            "differences_total": self.differences_total,
            "repaired_total": self.repaired_total,
            "differences": [one.as_dict() for one in self.differences],
            "partitions": [asdict(one) for one in self.partitions],
            "tables": [asdict(one) for one in self.tables],
            "skipped": [one.as_dict() for one in self.skipped],
            "repairs": [
                {
                    "table": one.table,
                    "window_start": instant(one.window_start_s),
                    "groups": one.groups,
                    "token": one.token,
                }
                for one in self.repairs
            ],
        }
