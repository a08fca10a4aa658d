"""The audit over a store in memory: what it judges, what it leaves alone, and in which order it asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from inferometer.core.arrow_events import batch_of_json, encode
from inferometer.core.audit_spans import HourRows
from inferometer.core.chunks import GroupMetadata, StreamPartition
from inferometer.core.conservation import (
    EntryRows,
    GroupDifference,
    Kind,
    LedgerEntry,
    OpenChunk,
    PartitionPosition,
    RepeatedEvent,
    SkipReason,
    WindowCheck,
)
from inferometer.core.cubes import MEASURES
from inferometer.core.records import ContentType, RecordColumns
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


EVENTS = [
    b'{"event_id":"%d","request_id":"r","model":"m","status_code":200,"ts_end":%d}'
    % (number, NOW_S * 1_000_000)
    for number in range(3)
]


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

    def windows_of(self, chunks: Sequence[OpenChunk], *, seconds: int) -> set[int]:
        return self.touched if chunks else set()

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


def audit(
    store: Store, broker: Broker | None = None, pause: Callable[[float], None] = lambda _: None,
    repair: _Repair | None = None,
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


class _Repair:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.mended: list[int] = []

    def mend(
        self, cube: Cube, resolution: Resolution, groups: Sequence[GroupDifference]
    ) -> list[Repair]:
        self.mended += [group.window_start_s for group in groups]
        self.store.differing = [g for g in self.store.differing if g not in groups]
        return []


def kinds(report: AuditReport) -> list[Kind]:
    return [difference.kind for difference in report.differences]


def test_a_chain_without_gaps_whose_rows_are_there_is_conserved() -> None:
    report = audit(conserved(), Broker())
    assert (report.is_ok, report.skipped) == (True, [])
    [account] = report.partitions
    assert (account.chunks, account.stored, account.dead, account.lag) == (2, 9, 1, 10)


def test_a_gap_that_the_broker_knows_nothing_of_is_a_hole_of_the_topic() -> None:
    store = conserved()
    store.entries[1] = entry(7, 11, dead=1)
    store.log[7], store.dead[7] = store.log.pop(5), store.dead.pop(5)
    report = audit(store, Broker(committed=12))
    assert report.is_ok
    assert report.partitions[0].holes == 2
    assert kinds(audit(store, Broker(committed=12, held=(6,)))) == [Kind.RECORDS_LOST]


def test_a_gap_that_the_broker_has_dropped_cannot_be_judged() -> None:
    store = conserved()
    store.entries[1] = entry(7, 11, dead=1)
    store.log[7], store.dead[7] = store.log.pop(5), store.dead.pop(5)
    report = audit(store, Broker(low=8, committed=12))
    assert report.is_ok
    [skipped] = report.skipped
    assert (skipped.reason, skipped.first_offset) == (SkipReason.BROKER_EXPIRED, 5)


def test_rows_behind_the_ledger_belong_to_an_open_chunk_or_to_nobody() -> None:
    store = conserved()
    store.log[5] = EntryRows(4, 4, 1, beyond=3, beyond_first=10, beyond_last=12)
    assert kinds(audit(store, Broker())) == [Kind.LEDGER_MISSING]
    store.begun = [OpenChunk(SOURCE, 10, 14)]
    report = audit(store, Broker())
    assert report.is_ok
    assert report.partitions[0].open_chunk == (10, 14)
    assert kinds(audit(store, Broker(committed=15))) == [Kind.LEDGER_MISSING]


def test_missing_rows_name_their_offsets_where_no_duplicate_can_be_among_them() -> None:
    store = conserved()
    store.log[0] = EntryRows(4, 4, 1)
    store.offsets = [0, 1, 3, 4]
    [found] = audit(store).differences
    assert (found.kind, found.offsets) == (Kind.LOG_ROWS, (2,))


ENVELOPES = {
    ContentType.NDJSON: b"\n".join(EVENTS),
    ContentType.ARROW: encode(batch_of_json(EVENTS)),
}


@pytest.mark.parametrize("content_type", ENVELOPES)
def test_one_event_that_is_missing_of_a_record_of_many_is_found(
    content_type: ContentType,
) -> None:
    of_three = LedgerEntry(0, 1, 2, 6, 6, 0, 0, 1, NOW_S - 60)
    store = Store(entries=[of_three], log={0: EntryRows(5, 5, 1)})
    store.places = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 2)]
    broker = Broker(
        committed=2, held=(0, 1), value=ENVELOPES[content_type], content_type=content_type
    )
    [found] = audit(store, broker).differences
    assert (found.kind, found.expected, found.found) == (Kind.LOG_ROWS, "6 rows", "5 rows")
    assert found.offsets == (1,)


def test_more_rows_than_events_are_repeated() -> None:
    store = conserved()
    store.log[0] = EntryRows(7, 5, 1)
    assert kinds(audit(store)) == [Kind.LOG_REPEATED]


def test_a_window_is_judged_between_the_ends_and_the_intents() -> None:
    store = conserved()
    store.differing = [difference()]
    report = audit(store)
    assert kinds(report) == [Kind.ROLLUP]
    assert store.asked[-3:] == ["ends", "difference", "intents"]


def test_a_window_that_an_open_chunk_touches_is_looked_at_again_and_then_left_alone() -> None:
    store = conserved()
    store.differing = [difference(), difference(HOUR + 120)]
    store.begun = [OpenChunk(SOURCE, 10, 14)]
    store.touched = {HOUR + 60}
    repair = _Repair(store)
    pauses: list[float] = []
    report = audit(store, pause=pauses.append, repair=repair)
    assert repair.mended == [HOUR + 120]
    assert [s.reason for s in report.skipped] == [SkipReason.OPEN_CHUNK]
    assert len(pauses) == 3
    assert report.is_ok


def test_a_window_is_judged_once_its_chunk_has_closed() -> None:
    store = conserved()
    store.differing = [difference()]
    store.begun = [OpenChunk(SOURCE, 10, 14)]
    store.touched = {HOUR + 60}

    def close(_: float) -> None:
        store.entries.append(entry(10, 14))

    assert kinds(audit(store, pause=close)) == [Kind.ROLLUP]


def test_nothing_is_mended_while_the_log_is_no_measure() -> None:
    store = conserved()
    store.log[0] = EntryRows(4, 4, 1)
    store.differing = [difference()]
    repair = _Repair(store)
    report = audit(store, repair=repair)
    assert repair.mended == []
    assert SkipReason.LOG_IN_DOUBT in {skipped.reason for skipped in report.skipped}


def test_an_event_id_counts_as_repeated_only_from_several_places() -> None:
    store = conserved()
    store.repeated = [
        RepeatedEvent("a", ((TOPIC, 0, 1), (TOPIC, 0, 1))),
        RepeatedEvent("b", ((TOPIC, 0, 1), (TOPIC, 1, 1))),
    ]
    [found] = audit(store).differences
    assert (found.kind, found.event_id) == (Kind.EVENT_REPEATED, "b")


def test_a_report_lists_so_many_differences_and_counts_them_all() -> None:
    store = conserved()
    store.differing = [difference(HOUR + 60 * n) for n in range(1, 59)] * 30
    report = audit(store)
    assert report.differences_total == 58 * 30
    assert len(report.differences) == 1000
