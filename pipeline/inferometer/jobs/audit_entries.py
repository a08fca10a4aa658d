"""Audits one ledger row: it adds up, and its log rows and dead letters are there, each once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferometer.core.audit_spans import DAY_S
from inferometer.core.conservation import MAX_OFFSETS, Kind, SkipReason
from inferometer.core.event_peek import peek_records
from inferometer.core.ledger_chain import OffsetRange
from inferometer.names import DEAD_LETTERS_TABLE, REQUESTS_TABLE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inferometer.core.conservation import EntryRows, LedgerEntry
    from inferometer.core.records import RecordColumns
    from inferometer.jobs.partition_scope import PartitionScope

_PLAUSIBLE_LATENESS_S = 2 * DAY_S


def audit_entry(scope: PartitionScope, entry: LedgerEntry, log: EntryRows, dead: EntryRows) -> None:
    """Hold a ledger row against the rows of its offsets, and count it."""
    _count(scope, entry, log, dead)
    offsets = OffsetRange(entry.first_offset, entry.last_offset)
    total = entry.stored + entry.dead + entry.duplicates
    if entry.events != total:
        scope.differ(
            Kind.LEDGER_SUM, offsets, expected=f"{entry.events} events", found=f"{total} events"
        )
    _records(scope, entry, offsets)
    _repeated(scope, REQUESTS_TABLE, offsets, log)
    if log.distinct != entry.stored:
        _log_rows(scope, entry, offsets, log)
    if not scope.is_kept(DEAD_LETTERS_TABLE, entry.decided_at_s):
        return
    _repeated(scope, DEAD_LETTERS_TABLE, offsets, dead)
    if dead.distinct != entry.dead:
        scope.differ(
            Kind.DEAD_LETTERS, offsets, expected=f"{entry.dead} rows", found=f"{dead.distinct} rows"
        )


def _count(scope: PartitionScope, entry: LedgerEntry, log: EntryRows, dead: EntryRows) -> None:
    account = scope.account
    if account.first_offset is None:
        account.first_offset = entry.first_offset
    account.last_offset = max(account.last_offset or 0, entry.last_offset)
    account.chunks += 1
    account.records += entry.records
    account.events += entry.events
    account.stored += entry.stored
    account.dead += entry.dead
    account.duplicates += entry.duplicates
    account.log_rows += log.rows
    account.dead_letter_rows += dead.rows


def _records(scope: PartitionScope, entry: LedgerEntry, offsets: OffsetRange) -> None:
    holes = len(offsets) - entry.records
    if holes == 0:
        return
    scope.account.holes += max(holes, 0)
    records = scope.records(offsets)
    # Without the broker the offsets themselves are the bound. Fewer records than were counted are
    # no fault: compaction goes on.
    held = entry.records if holes > 0 else len(offsets)
    if records is not None:
        held = len(records)
    if held > entry.records or holes < 0:
        scope.differ(
            Kind.LEDGER_RECORDS,
            offsets,
            expected=f"{held} records",
            found=f"{entry.records} records in the ledger",
        )


def _repeated(scope: PartitionScope, table: str, offsets: OffsetRange, rows: EntryRows) -> None:
    if rows.rows == rows.distinct:
        return
    scope.differ(
        Kind.LOG_REPEATED if table == REQUESTS_TABLE else Kind.DEAD_LETTERS_REPEATED,
        offsets,
        expected=f"{rows.distinct} rows",
        found=f"{rows.rows} rows",
        offsets=_offsets_of(
            scope.store.stored_places(
                table,
                scope.source,
                first_offset=offsets.first,
                last_offset=offsets.last,
                only_repeated=True,
                limit=MAX_OFFSETS,
            )
        ),
    )


def _log_rows(
    scope: PartitionScope, entry: LedgerEntry, offsets: OffsetRange, log: EntryRows
) -> None:
    present = _present(scope, offsets, limit=max(len(offsets), entry.events))
    records = scope.records(offsets)
    are_fewer = log.distinct < entry.stored
    if records is not None:
        missing = _unaccounted(scope, records, present)
        if are_fewer and not missing:
            # All that is not in the log has expired there.
            return
    elif are_fewer and _may_be_expired(scope, entry, log):
        scope.skip(SkipReason.ROWS_MAY_HAVE_EXPIRED, offsets)
        return
    else:
        # Which of the absent ones were duplicates, only their ids could tell.
        is_exact = entry.duplicates == 0 and entry.records == len(offsets)
        span = range(offsets.first, offsets.last + 1) if is_exact else ()
        held = {offset for offset, _ in present}
        missing = [offset for offset in span if offset not in held]
    scope.differ(
        Kind.LOG_ROWS,
        offsets,
        expected=f"{entry.stored} rows",
        found=f"{log.distinct} rows",
        offsets=missing,
    )


def _offsets_of(places: Iterable[tuple[int, int]]) -> list[int]:
    return sorted({offset for offset, _ in places})


def _present(scope: PartitionScope, offsets: OffsetRange, *, limit: int) -> set[tuple[int, int]]:
    """Return the events, by offset and index, that have a log row or a dead letter."""
    return {
        place
        for table in (REQUESTS_TABLE, DEAD_LETTERS_TABLE)
        for place in scope.store.stored_places(
            table,
            scope.source,
            first_offset=offsets.first,
            last_offset=offsets.last,
            only_repeated=False,
            limit=limit,
        )
    }


def _unaccounted(
    scope: PartitionScope, records: RecordColumns, present: set[tuple[int, int]]
) -> list[int]:
    """Return the offsets of events that are neither stored, dead, duplicates nor expired."""
    suspects: dict[tuple[int, int], str] = {}
    for place, event in peek_records(records):
        if place in present:
            continue
        if event is None or event.ts_end_s >= scope.expires_s(REQUESTS_TABLE):
            suspects[place] = "" if event is None else event.event_id
    ids = sorted({event_id for event_id in suspects.values() if event_id})
    known = scope.store.known_event_ids(scope.source.topic, ids)
    return _offsets_of(place for place, event_id in suspects.items() if event_id not in known)


def _may_be_expired(scope: PartitionScope, entry: LedgerEntry, log: EntryRows) -> bool:
    # Rows expire by whole days, and an event must have been this late to be gone by now.
    lateness_s = entry.decided_at_s - scope.expires_s(REQUESTS_TABLE)
    return log.days < entry.days and lateness_s <= _PLAUSIBLE_LATENESS_S
