"""Audits a partition: offsets of the broker = log rows + dead letters + duplicates dropped.

The ledger is the link: its chain must cover every offset that the group has passed, and each of its
rows must find its log rows and dead letters. What the chain leaves out is looked up at the broker,
as far as that still holds it: a hole of the topic (transaction markers, compaction) is no loss.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferometer.core.conservation import MAX_OFFSETS, EntryRows, Kind, SkipReason
from inferometer.core.ledger_chain import OffsetRange, chain
from inferometer.jobs.audit_entries import audit_entry
from inferometer.names import DEAD_LETTERS_TABLE, LEDGER_TABLE, REQUESTS_TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from inferometer.core.conservation import LedgerEntry, OpenChunk
    from inferometer.jobs.partition_scope import PartitionScope

    Rows = Mapping[str, Mapping[int, EntryRows]]

PAGE_ENTRIES = 2000
PAGE_EVENTS = 2_000_000
"""Rows that one query holds against the ledger at most, unless one chunk has more."""
END_OF_OFFSETS = 2**63 - 1
_TABLES = (REQUESTS_TABLE, DEAD_LETTERS_TABLE)


def audit_partition(scope: PartitionScope, *, ledger_end: int | None, oldest_s: int | None) -> None:
    """Walk the ledger page by page, then look at what lies before and behind it.

    `ledger_end` is the furthest offset of the ledger, `oldest_s` when its oldest row was decided;
    None where it has no row.
    """
    scope.report.partitions.append(scope.account)
    _note_position(scope, ledger_end)
    if oldest_s is None:
        _behind(scope, _rows(scope, 0, END_OF_OFFSETS), 0, 0)
        return
    # Where older rows may be gone, or were not asked for, the first one seen begins the chain.
    is_whole = oldest_s >= scope.span.from_s and scope.is_kept(LEDGER_TABLE, oldest_s)
    reached = 0 if is_whole else None
    for entries, following in _pages(scope):
        first = 0 if reached == 0 else entries[0].first_offset
        last = END_OF_OFFSETS if following is None else following - 1
        rows = _rows(scope, first, last)
        _page(scope, entries, rows, reached, following)
        reached = max(_end(entries) + 1, reached or 0, following or 0)
        if following is None and _end(entries) >= (ledger_end or 0):
            _behind(scope, rows, entries[-1].first_offset, reached)


def _pages(scope: PartitionScope) -> Iterator[tuple[Sequence[LedgerEntry], int | None]]:
    """Yield the ledger in pages, each with the first offset of the next one."""
    from_offset = 0
    while True:
        found = scope.store.ledger_entries(
            scope.source, scope.span, from_offset=from_offset, limit=PAGE_ENTRIES + 1
        )
        count = _fitting(found[:PAGE_ENTRIES])
        if not count:
            return
        from_offset = found[count - 1].first_offset + 1
        # Rows of one first offset stay together, or the second of them would be passed over.
        entries = [entry for entry in found if entry.first_offset < from_offset]
        following = found[len(entries)].first_offset if len(entries) < len(found) else None
        yield entries, following
        if following is None:
            return


def _fitting(entries: Sequence[LedgerEntry]) -> int:
    """Return how many entries from the front one query may take."""
    events = 0
    for count, entry in enumerate(entries):
        events += entry.stored + entry.dead
        if count and events > PAGE_EVENTS:
            return count
    return len(entries)


def _end(entries: Sequence[LedgerEntry]) -> int:
    return max(entry.last_offset for entry in entries)


def _rows(scope: PartitionScope, first: int, last: int) -> Rows:
    return {
        table: scope.store.rows_by_entry(table, scope.source, first_offset=first, last_offset=last)
        for table in _TABLES
    }


def _rows_of(rows: Rows, entry_first: int) -> tuple[EntryRows, EntryRows]:
    log, dead = (rows[table].get(entry_first, EntryRows()) for table in _TABLES)
    return log, dead


def _page(
    scope: PartitionScope,
    entries: Sequence[LedgerEntry],
    rows: Rows,
    reached: int | None,
    following: int | None,
) -> None:
    links = chain(entries, next_offset=reached)
    for overlap in links.overlaps:
        scope.differ(
            Kind.LEDGER_OVERLAP, overlap, expected="1 ledger row", found="several ledger rows"
        )
    before_gap = {}
    for entry in entries:
        before_gap[entry.last_offset + 1] = entry.first_offset
        audit_entry(scope, entry, *_rows_of(rows, entry.first_offset))
    gaps = list(links.gaps)
    if following is not None and following > links.next_offset:
        gaps.append(OffsetRange(links.next_offset, following - 1))
    for gap in gaps:
        _gap(scope, gap, *_rows_of(rows, before_gap.get(gap.first, 0)))


def _gap(scope: PartitionScope, gap: OffsetRange, log: EntryRows, dead: EntryRows) -> None:
    """Look at offsets between two ledger rows, or in front of the first."""
    if log.beyond or dead.beyond:
        scope.differ(Kind.LEDGER_MISSING, gap, expected="a ledger row", found=_said(log, dead))
        return
    low = 0 if scope.position is None else scope.position.low
    if scope.reader is None or scope.position is None:
        if gap.first > 0:
            scope.skip(SkipReason.BROKER_UNKNOWN, gap)
        return
    # Before the first chunk of all there is nothing but what the broker dropped before it.
    if 0 < gap.first < low:
        scope.skip(SkipReason.BROKER_EXPIRED, OffsetRange(gap.first, min(gap.last, low - 1)))
    if gap.last >= low:
        _look_up(scope, OffsetRange(max(gap.first, low), gap.last))


def _look_up(scope: PartitionScope, gap: OffsetRange) -> None:
    held = scope.held_offsets(gap, limit=MAX_OFFSETS)
    if held is None:
        return
    count, first_offsets = held
    if count == 0:
        scope.account.holes += len(gap)
        return
    scope.differ(
        Kind.RECORDS_LOST,
        gap,
        expected="a ledger row",
        found=f"{count} records at the broker, no ledger row",
        offsets=first_offsets,
    )


def _behind(scope: PartitionScope, rows: Rows, entry_first: int, next_offset: int) -> None:
    """Look at what lies behind the ledger: an open chunk, or what should have a ledger row."""
    log, dead = _rows_of(rows, entry_first)
    ends = {scope.source: next_offset - 1} if next_offset else {}
    begun = scope.store.intents_after(ends, since_s=scope.span.from_s, source=scope.source)
    committed = scope.account.committed
    # What the group has passed is not open any more, whatever the intents say.
    opened = [chunk for chunk in begun if committed is None or chunk.last_offset >= committed]
    if opened:
        scope.account.open_chunk = (opened[0].first_offset, opened[0].last_offset)
    if log.beyond or dead.beyond:
        _stray(scope, opened, log, dead)
    elif committed is not None and committed > next_offset and scope.position is not None:
        first = max(next_offset, scope.position.low)
        if first < committed:
            _look_up(scope, OffsetRange(first, committed - 1))


def _stray(
    scope: PartitionScope, opened: Sequence[OpenChunk], log: EntryRows, dead: EntryRows
) -> None:
    found = [rows for rows in (log, dead) if rows.beyond]
    stray = OffsetRange(
        min(rows.beyond_first for rows in found), max(rows.beyond_last for rows in found)
    )
    is_open = any(
        chunk.first_offset <= stray.first and stray.last <= chunk.last_offset for chunk in opened
    )
    if is_open and scope.is_present:
        return
    kind = Kind.CHUNK_ABANDONED if is_open else Kind.LEDGER_MISSING
    scope.differ(kind, stray, expected="a ledger row", found=_said(log, dead))


def _said(log: EntryRows, dead: EntryRows) -> str:
    return f"{log.beyond} log rows, {dead.beyond} dead letters, no ledger row"


def _note_position(scope: PartitionScope, ledger_end: int | None) -> None:
    position = scope.position
    if position is None:
        return
    account = scope.account
    account.low, account.high = position.low, position.high
    passed = None
    if position.metadata is None or position.metadata.stream_id == scope.source.stream_id:
        passed = account.committed = position.committed
    if passed is None:
        passed = position.low if ledger_end is None else max(ledger_end + 1, position.low)
    account.lag = max(0, position.high - passed)
