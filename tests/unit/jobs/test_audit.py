"""The audit over a store in memory: what it judges, what it leaves alone, and in which order it asks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from inferometer.core.arrow_events import batch_of_json, encode
from inferometer.core.audit_report import MAX_DIFFERENCES
from inferometer.core.conservation import (
    EntryRows,
    Kind,
    LedgerEntry,
    OpenChunk,
    RepeatedEvent,
    SkipReason,
)
from inferometer.core.records import ContentType
from tests.unit.jobs.audit_world import (
    HOUR,
    NOW_S,
    SOURCE,
    TOPIC,
    Broker,
    MemoryRepair,
    Store,
    audit,
    conserved,
    difference,
    entry,
)

if TYPE_CHECKING:
    from inferometer.core.audit_report import AuditReport

EVENTS = [
    b'{"event_id":"%d","request_id":"r","model":"m","status_code":200,"ts_end":%d}'
    % (number, NOW_S * 1_000_000)
    for number in range(3)
]


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


def test_records_that_were_passed_over_are_counted_and_only_some_of_them_named() -> None:
    broker = Broker(committed=10_010, held=tuple(range(10, 10_010)))
    [found] = audit(conserved(), broker).differences
    assert (found.kind, found.first_offset, found.last_offset) == (Kind.RECORDS_LOST, 10, 10_009)
    assert found.found == "10000 records at the broker, no ledger row"
    assert found.offsets == tuple(range(10, 30))


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
    repair = MemoryRepair(store)
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


def test_a_difference_waits_for_an_open_chunk_whose_log_rows_may_be_on_their_way() -> None:
    store = conserved()
    store.differing = [difference()]
    store.begun = [OpenChunk(SOURCE, 10, 14)]
    repair = MemoryRepair(store)
    report = audit(store, repair=repair)
    assert repair.mended == []
    assert [s.reason for s in report.skipped] == [SkipReason.OPEN_CHUNK]


@pytest.mark.parametrize("is_closed", [True, False], ids=["closed", "seen in another window"])
def test_a_difference_counts_that_an_open_chunk_has_left_as_it_was(*, is_closed: bool) -> None:
    store = conserved()
    store.differing = [difference()]
    store.begun = [OpenChunk(SOURCE, 10, 14)]

    def go_on(_: float) -> None:
        if is_closed:
            store.entries.append(entry(10, 14))
            # The next chunk tells nothing of what was seen before it was begun.
            store.begun.append(OpenChunk(SOURCE, 15, 19))
        else:
            store.touched = {HOUR}

    repair = MemoryRepair(store)
    audit(store, pause=go_on, repair=repair)
    assert repair.mended == [HOUR + 60]


def test_a_difference_that_changes_with_every_chunk_is_left_alone() -> None:
    store = conserved()
    store.differing = [difference()]
    store.begun = [OpenChunk(SOURCE, 10, 14)]

    def go_on(_: float) -> None:
        first = store.begun[-1].first_offset
        store.entries.append(entry(first, first + 4))
        store.begun.append(OpenChunk(SOURCE, first + 5, first + 9))
        [seen] = store.differing
        store.differing = [replace(seen, expected={**seen.expected, "requests": first})]

    repair = MemoryRepair(store)
    report = audit(store, pause=go_on, repair=repair)
    assert repair.mended == []
    assert SkipReason.OPEN_CHUNK in {skipped.reason for skipped in report.skipped}


@pytest.mark.parametrize(
    ("rows", "broker"),
    [(EntryRows(4, 4, 1), None), (EntryRows(5, 5, 1), Broker(committed=12, held=(10, 11)))],
    ids=["rows are missing", "records were passed over"],
)
def test_nothing_is_mended_while_the_log_is_no_measure(
    rows: EntryRows, broker: Broker | None
) -> None:
    store = conserved()
    store.log[0] = rows
    store.differing = [difference()]
    report = audit(store, broker, repair=(repair := MemoryRepair(store)))
    assert repair.mended == []
    assert SkipReason.LOG_IN_DOUBT in {skipped.reason for skipped in report.skipped}


def test_nothing_is_mended_although_the_damage_of_the_log_is_listed_no_more() -> None:
    store = Store(
        entries=[entry(5 * n, 5 * n + 4, dead=1) for n in range(MAX_DIFFERENCES + 1)],
        log={5 * n: EntryRows(4, 4, 1) for n in range(MAX_DIFFERENCES)},
        differing=[difference()],
    )
    report = audit(store, repair=(repair := MemoryRepair(store)))
    assert kinds(report) == [Kind.DEAD_LETTERS] * MAX_DIFFERENCES
    assert repair.mended == []


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
