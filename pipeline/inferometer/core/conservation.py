"""What the audit compares and what it finds: the values of a proof that nothing is lost or doubled.

Invariants: every finding names its place (offsets of a partition, or window, group and measure), what
was expected there and what was found; a row of zeros and no row are the same account.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inferometer.core.chunks import GroupMetadata, StreamPartition

MeasureValue = "int | Decimal | Mapping[int, int]"


class Kind(enum.StrEnum):
    """What is wrong."""

    ROLLUP = "rollup"
    """A measure of a (window, group) is not what the log says."""
    LOG_ROWS = "log_rows"
    """A chunk has fewer or more rows in the log than its ledger row says."""
    LOG_REPEATED = "log_repeated"
    """An event of the topic has more than one row in the log."""
    DEAD_LETTERS = "dead_letters"
    """A chunk has fewer or more dead letters than its ledger row says."""
    DEAD_LETTERS_REPEATED = "dead_letters_repeated"
    """An event of the topic has more than one dead letter."""
    LEDGER_SUM = "ledger_sum"
    """A ledger row does not add up: events are stored, dead or duplicates."""
    LEDGER_RECORDS = "ledger_records"
    """A ledger row counts other records than the broker holds in its offsets."""
    LEDGER_OVERLAP = "ledger_overlap"
    """Two ledger rows account for the same offsets."""
    LEDGER_MISSING = "ledger_missing"
    """Rows are stored of offsets that no ledger row accounts for."""
    RECORDS_LOST = "records_lost"
    """The group has passed records that no ledger row accounts for."""
    CHUNK_ABANDONED = "chunk_abandoned"
    """A chunk was begun and cannot be finished: its topic was made anew."""
    EVENT_REPEATED = "event_repeated"
    """An event_id has more than one row in the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One place where the account does not balance; fields that do not apply stay empty."""

    kind: Kind
    expected: str
    found: str
    topic: str = ""
    partition: int | None = None
    stream_id: str = ""
    first_offset: int | None = None
    last_offset: int | None = None
    offsets: tuple[int, ...] = ()
    """The offsets in question, where they could be told apart; at most `MAX_OFFSETS`."""
    table: str = ""
    window_start_s: int | None = None
    group: Mapping[str, str] = field(default_factory=dict)
    measure: str = ""
    """Of a sketch, `<sketch>_bins[<bin>]`."""
    event_id: str = ""
    detail: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that apply, for JSON."""
        found = {item.name: getattr(self, item.name) for item in fields(self)}
        start = found.pop("window_start_s")
        if start is not None:
            found["window_start"] = instant(start)
        found["kind"] = self.kind.value
        keep = {"kind", "expected", "found"}
        return {
            name: value
            for name, value in found.items()
            if name in keep or (value not in ("", None, ()) and value != {})
        }


MAX_OFFSETS = 20


class SkipReason(enum.StrEnum):
    """Why something could not be checked."""

    LOG_EXPIRED = "log_expired"
    """The log no longer holds all rows of the windows."""
    ROLLUP_EXPIRED = "rollup_expired"
    """The roll-up no longer holds the windows, though the log does."""
    OPEN_CHUNK = "open_chunk"
    """A chunk that is being written touches the windows, or may."""
    BROKER_EXPIRED = "broker_expired"
    """Offsets that no ledger row accounts for, and that the broker no longer holds."""
    BROKER_UNKNOWN = "broker_unknown"
    """Offsets that no ledger row accounts for, and no broker was given to ask."""
    LOG_IN_DOUBT = "log_in_doubt"
    """Not repaired: the log itself is not what the ledger says, so it is no measure for roll-ups."""
    ROWS_MAY_HAVE_EXPIRED = "rows_may_have_expired"
    """Rows of a chunk are missing that may have been too old for the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """What was not checked, and why."""

    reason: SkipReason
    table: str = ""
    from_s: int | None = None
    to_s: int | None = None
    """End of the span, not included."""
    windows: int = 0
    topic: str = ""
    partition: int | None = None
    first_offset: int | None = None
    last_offset: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that apply, for JSON."""
        found: dict[str, Any] = {"reason": self.reason.value}
        if self.table:
            found |= {"table": self.table, "windows": self.windows}
        if self.from_s is not None and self.to_s is not None:
            found |= {"from": instant(self.from_s), "to": instant(self.to_s)}
        if self.topic:
            found |= {"topic": self.topic, "partition": self.partition}
            found |= {"first_offset": self.first_offset, "last_offset": self.last_offset}
        return found


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One row of the ledger."""

    first_offset: int
    last_offset: int
    records: int
    events: int
    stored: int
    dead: int
    duplicates: int
    days: int
    """Days (UTC) of event time of its log rows."""
    decided_at_s: int


@dataclass(frozen=True, slots=True)
class EntryRows:
    """Rows of one table at the offsets of a ledger entry, and between it and the next one."""

    rows: int = 0
    distinct: int = 0
    """Different (offset, index) among them."""
    days: int = 0
    beyond: int = 0
    """Rows behind the entry's last offset."""
    beyond_first: int = 0
    beyond_last: int = 0


@dataclass(frozen=True, slots=True)
class OpenChunk:
    """A chunk that was begun and that no ledger row closed when it was looked at."""

    source: StreamPartition
    first_offset: int
    last_offset: int


@dataclass(frozen=True, slots=True)
class PartitionPosition:
    """A partition at the broker, and how far the group is."""

    low: int
    high: int
    """The offset after the last committed record."""
    committed: int | None
    """None where the group has no offset."""
    metadata: GroupMetadata | None


@dataclass(frozen=True, slots=True)
class WindowCheck:
    """One window of one roll-up table against the log."""

    window_start_s: int
    groups: int
    differing: int


@dataclass(frozen=True, slots=True)
class GroupDifference:
    """One (window, group) whose measures are not what the log says; holds all its measures."""

    window_start_s: int
    group: Mapping[str, Any]
    expected: Mapping[str, Any]
    found: Mapping[str, Any]

    def changes(self) -> dict[str, tuple[Any, Any]]:
        """Return each measure that differs as (expected, found); sketches bin by bin."""
        result: dict[str, tuple[Any, Any]] = {}
        for measure, expected in self.expected.items():
            found = self.found[measure]
            if isinstance(expected, dict):
                for index in sorted({*expected, *found}):
                    pair = (expected.get(index, 0), found.get(index, 0))
                    if pair[0] != pair[1]:
                        result[f"{measure}[{index}]"] = pair
            elif expected != found:
                result[measure] = (expected, found)
        return result


@dataclass(frozen=True, slots=True)
class RepeatedEvent:
    """An event_id with several rows in the log, and where each came from."""

    event_id: str
    places: tuple[tuple[str, int, int], ...]
    """(topic, partition, offset), in order."""


def instant(seconds: int) -> str:
    """Return seconds since 1970 as ISO text in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
