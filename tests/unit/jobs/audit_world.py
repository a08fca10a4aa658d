"""An audit over a store, a broker and a repair in memory, each of which says what it is told to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inferometer.core.audit_spans import HourRows
from inferometer.core.chunks import GroupMetadata, StreamPartition
from inferometer.core.conservation import (
    EntryRows,
    GroupDifference,
    LedgerEntry,
    OpenChunk,
    PartitionPosition,
    RepeatedEvent,
    WindowCheck,
)
from inferometer.core.cubes import MEASURES
from inferometer.core.records import RecordColumns
from inferometer.jobs.audit import Audit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from inferometer.core.audit_report import AuditReport, Repair
    from inferometer.core.audit_spans import Slice
    from inferometer.core.cubes import Cube, Resolution

TOPIC = "inference.requests"
SOURCE = StreamPartition(TOPIC, 0, "s")
NOW_S = 1_763_690_400
HOUR = NOW_S // 3600 * 3600 - 7200


def entry(first: int, last: int, *, stored: int | None = None, dead: int = 0) -> LedgerEntry:
    count = last - first + 1
    kept = count - dead if stored is None else stored
    return LedgerEntry(first, last, count, count, kept, dead, count - dead - kept, 1, NOW_S - 60)


@dataclass
class Store:
    """What the audit asks of a store, told beforehand."""

    entries: list[LedgerEntry] = field(default_factory=list)
    log: dict[int, EntryRows] = field(default_factory=dict)
    dead: dict[int, EntryRows] = field(default_factory=dict)
    offsets: list[int] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)
    begun: list[OpenChunk] = field(default_factory=list)
    touched: set[int] = field(default_factory=set)
    differing: list[GroupDifference] = field(default_factory=list)
    repeated: list[RepeatedEvent] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def kept_days(self) -> dict[str, int]:
        tables = ("requests", "dead_letters", "chunk_ledger", "service_1m_rows")
        return dict.fromkeys(tables, 14)

    def sources(self, span: Slice) -> list[StreamPartition]:
        return [SOURCE]

    def ledger_ends(self) -> dict[StreamPartition, tuple[int, int]]:
        self.asked.append("ends")
        if not self.entries:
            return {}
        return {SOURCE: (max(e.last_offset for e in self.entries), NOW_S - 60)}

    def ledger_entries(
        self, source: StreamPartition, span: Slice, *, from_offset: int, limit: int
    ) -> list[LedgerEntry]:
        return [e for e in self.entries if e.first_offset >= from_offset][:limit]

    def rows_by_entry(
        self, table: str, source: StreamPartition, *, first_offset: int, last_offset: int
    ) -> dict[int, EntryRows]:
        return self.log if table == "requests" else self.dead

    def stored_places(
        self, table: str, source: StreamPartition, *, first_offset: int, last_offset: int,
        only_repeated: bool, limit: int,
    ) -> list[tuple[int, int]]:  # fmt: skip
        found = self.places if table == "requests" else []
        found = [*found, *((offset, 0) for offset in self.offsets if table == "requests")]
        return [place for place in found if first_offset <= place[0] <= last_offset][:limit]

    def intents_after(
        self, ends: Mapping[StreamPartition, int], *, since_s: int,
        source: StreamPartition | None = None,
    ) -> list[OpenChunk]:  # fmt: skip
        self.asked.append("intents")
        return [c for c in self.begun if c.first_offset > ends.get(c.source, -1)]

    def windows_of(self, chunks: Sequence[OpenChunk], *, seconds: int) -> dict[OpenChunk, set[int]]:
        return {chunk: self.touched for chunk in chunks if self.touched}

    def log_hours(self, span: Slice) -> list[HourRows]:
        return [HourRows(HOUR, 10)]

    def rollup_hours(self, table: str, span: Slice) -> dict[int, int]:
        return {}

    def compare_windows(self, cube: Cube, resolution: Resolution, span: Slice) -> list[WindowCheck]:
        if (cube.name, resolution.name) != ("service", "1m"):
            return []
        windows = {group.window_start_s for group in self.differing}
        return [WindowCheck(HOUR, 2, 0), *(WindowCheck(w, 1, 1) for w in sorted(windows))]

    def differing_groups(
        self, cube: Cube, resolution: Resolution, windows_s: Sequence[int], *, limit: int
    ) -> list[GroupDifference]:
        self.asked.append("difference")
        return [group for group in self.differing if group.window_start_s in windows_s][:limit]

    def repeated_events(
        self, span: Slice, *, part: int, parts: int, limit: int
    ) -> list[RepeatedEvent]:
        return self.repeated

    def known_event_ids(self, topic: str, event_ids: Sequence[str]) -> set[str]:
        return set()


class Broker:
    def __init__(
        self, *, low: int = 0, committed: int = 10, held: tuple[int, ...] = (), value: bytes = b"x",
        content_type: int = 0,
    ) -> None:  # fmt: skip
        self.position = PartitionPosition(low, 20, committed, GroupMetadata("s"))
        self.held = held
        self.value, self.content_type = value, content_type

    def stream_id(self) -> str:
        return "s"

    def positions(self) -> dict[int, PartitionPosition]:
        return {0: self.position}

    def records(self, partition: int, first_offset: int, last_offset: int) -> RecordColumns:
        held = [o for o in self.held if first_offset <= o <= last_offset]
        return RecordColumns.from_values(
            [self.value] * len(held),
            first_offset=held[0] if held else 0,
            content_types=[self.content_type] * len(held),
        )

    def held_offsets(
        self, partition: int, first_offset: int, last_offset: int, *, limit: int
    ) -> tuple[int, list[int]]:
        held = [o for o in self.held if first_offset <= o <= last_offset]
        return len(held), held[:limit]


def audit(
    store: Store, broker: Broker | None = None, pause: Callable[[float], None] = lambda _: None,
    repair: MemoryRepair | None = None,
) -> AuditReport:  # fmt: skip
    return Audit(
        store=store, topic=TOPIC, reader=broker, now_s=NOW_S, pause=pause,
        progress=lambda _: None, repair=repair,
    ).run()  # fmt: skip


def conserved() -> Store:
    return Store(
        entries=[entry(0, 4), entry(5, 9, dead=1)],
        log={0: EntryRows(5, 5, 1), 5: EntryRows(4, 4, 1)},
        dead={5: EntryRows(1, 1, 1)},
    )


def difference(window: int = HOUR + 60) -> GroupDifference:
    nothing: dict[str, object] = {n: {} if n.endswith("_bins") else 0 for n in MEASURES}
    return GroupDifference(window, {"model": "m"}, {**nothing, "requests": 3}, dict(nothing))


class MemoryRepair:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.mended: list[int] = []

    def mend(
        self, cube: Cube, resolution: Resolution, groups: Sequence[GroupDifference]
    ) -> list[Repair]:
        self.mended += [group.window_start_s for group in groups]
        self.store.differing = [g for g in self.store.differing if g not in groups]
        return []
