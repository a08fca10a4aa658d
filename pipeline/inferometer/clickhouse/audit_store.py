"""Answers what the audit asks of the store; implements the port AuditStore."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inferometer.clickhouse.partition_checks import (
    IntentsAfter,
    KeptDays,
    KnownIds,
    LedgerEnds,
    LedgerEntries,
    RepeatedEvents,
    RepeatedHashes,
    RollupHours,
    RowsByEntry,
    RowsByHour,
    Sources,
    StoredPlaces,
    WindowsOfChunks,
)
from inferometer.clickhouse.rollup_checks import CompareWindows, DifferingGroups, FoldedDimensions
from inferometer.core.audit_spans import HourRows, Slice
from inferometer.core.chunks import StreamPartition
from inferometer.core.conservation import (
    EntryRows,
    GroupDifference,
    LedgerEntry,
    OpenChunk,
    RepeatedEvent,
    WindowCheck,
)
from inferometer.core.cubes import MEASURES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inferometer.clickhouse.connect import StoreConnection
    from inferometer.core.audit_spans import Slice
    from inferometer.core.cubes import Cube, Resolution

VALUES_A_QUERY = 500
"""Bound values travel in the address of an HTTP request, which servers limit."""
CHUNKS_A_QUERY = 50
"""Five values each."""

_GROUP_BY_SETTINGS = {
    # Groups beyond it are counted on disk: a cube by user has nearly as many as the log has rows.
    "max_bytes_before_external_group_by": str(1 << 30),
}

_Sql = tuple[str, dict[str, Any]]


class ClickHouseAuditStore:
    """An `AuditStore` on an open connection; each calling thread has its own client."""

    def __init__(self, connection: StoreConnection) -> None:
        self._connection = connection

    def kept_days(self) -> dict[str, int]:
        """Return the days that each table keeps; see `AuditStore.kept_days`."""
        return {str(name): int(days) for name, days in self._rows(KeptDays().sql()) if days}

    def sources(self, span: Slice) -> list[StreamPartition]:
        """Return the partitions of a span; see `AuditStore.sources`."""
        return [StreamPartition(t, int(p), s) for t, p, s in self._rows(Sources(span).sql())]

    def ledger_ends(self) -> dict[StreamPartition, tuple[int, int]]:
        """Return how far each ledger reaches; see `AuditStore.ledger_ends`."""
        return {
            StreamPartition(topic, int(partition), stream): (int(last), int(oldest_s))
            for topic, partition, stream, last, oldest_s in self._rows(LedgerEnds().sql())
        }

    def ledger_entries(
        self, source: StreamPartition, span: Slice, *, from_offset: int, limit: int
    ) -> list[LedgerEntry]:
        """Return a page of a ledger; see `AuditStore.ledger_entries`."""
        query = LedgerEntries(source, span, from_offset, limit)
        return [LedgerEntry(*map(int, row)) for row in self._rows(query.sql())]

    def rows_by_entry(
        self, table: str, source: StreamPartition, *, first_offset: int, last_offset: int
    ) -> dict[int, EntryRows]:
        """Return rows by ledger entry; see `AuditStore.rows_by_entry`."""
        query = RowsByEntry(table, source, first_offset, last_offset)
        inside: dict[int, tuple[int, int, int]] = {}
        beyond: dict[int, tuple[int, int, int]] = {}
        for entry, is_inside, rows, distinct, days, first, last in self._rows(query.sql()):
            if is_inside:
                inside[int(entry)] = (int(rows), int(distinct), int(days))
            else:
                beyond[int(entry)] = (int(rows), int(first), int(last))
        return {
            entry: EntryRows(*inside.get(entry, (0, 0, 0)), *beyond.get(entry, (0, 0, 0)))
            for entry in {*inside, *beyond}
        }

    def stored_places(
        self,
        table: str,
        source: StreamPartition,
        *,
        first_offset: int,
        last_offset: int,
        only_repeated: bool,
        limit: int,
    ) -> list[tuple[int, int]]:
        """Return the events that a table has rows of; see `AuditStore.stored_places`."""
        query = StoredPlaces(table, source, first_offset, last_offset, only_repeated, limit)
        return [(int(offset), int(index)) for offset, index in self._rows(query.sql())]

    def intents_after(
        self,
        ends: Mapping[StreamPartition, int],
        *,
        since_s: int,
        source: StreamPartition | None = None,
    ) -> list[OpenChunk]:
        """Return chunks begun behind the ends; see `AuditStore.intents_after`."""
        return [
            OpenChunk(StreamPartition(topic, int(partition), stream), int(first), int(last))
            for topic, partition, stream, first, last in self._rows(
                IntentsAfter(ends, since_s, source).sql()
            )
        ]

    def windows_of(self, chunks: Sequence[OpenChunk], *, seconds: int) -> dict[OpenChunk, set[int]]:
        """Return the windows of chunks' log rows; see `AuditStore.windows_of`."""
        found: dict[OpenChunk, set[int]] = {}
        for start in range(0, len(chunks), CHUNKS_A_QUERY):
            asked = chunks[start : start + CHUNKS_A_QUERY]
            for number, window in self._rows(WindowsOfChunks(asked, seconds).sql()):
                found.setdefault(asked[int(number)], set()).add(int(window))
        return found

    def log_hours(self, span: Slice) -> list[HourRows]:
        """Return the log's hours; see `AuditStore.log_hours`."""
        return [HourRows(int(hour), int(rows)) for hour, rows in self._rows(RowsByHour(span).sql())]

    def rollup_hours(self, table: str, span: Slice) -> dict[int, int]:
        """Return a roll-up's hours; see `AuditStore.rollup_hours`."""
        rows = self._rows(RollupHours(table, span).sql())
        return {int(hour): int(windows) for hour, windows in rows}

    def compare_windows(self, cube: Cube, resolution: Resolution, span: Slice) -> list[WindowCheck]:
        """Compare each window with the log; see `AuditStore.compare_windows`."""
        folded = self._folded(cube, resolution, span)
        rows = self._rows(CompareWindows(cube, resolution, span, folded).sql())
        return [WindowCheck(*map(int, row)) for row in rows]

    def differing_groups(
        self, cube: Cube, resolution: Resolution, windows_s: Sequence[int], *, limit: int
    ) -> list[GroupDifference]:
        """Return the groups that differ; see `AuditStore.differing_groups`."""
        found: list[GroupDifference] = []
        for start in range(0, len(windows_s), VALUES_A_QUERY):
            windows = windows_s[start : start + VALUES_A_QUERY]
            span = Slice(min(windows), max(windows) + resolution.seconds)
            folded = self._folded(cube, resolution, span)
            query = DifferingGroups(cube, resolution, windows, limit - len(found), folded)
            found += [_group(cube, row) for row in self._rows(query.sql())]
            if len(found) >= limit:
                break
        return found

    def _folded(self, cube: Cube, resolution: Resolution, span: Slice) -> tuple[str, ...]:
        """Return the dimensions to fold; asked each time, since any chunk may be the first to fold."""
        query = FoldedDimensions(cube, resolution, span)
        return tuple(sorted(str(name) for (name,) in self._rows(query.sql())))

    def repeated_events(
        self, span: Slice, *, part: int, parts: int, limit: int
    ) -> list[RepeatedEvent]:
        """Return event ids with several rows; see `AuditStore.repeated_events`."""
        query = RepeatedHashes(span, part, parts, limit)
        hashes = [int(value) for (value,) in self._rows(query.sql())]
        found: list[RepeatedEvent] = []
        for start in range(0, len(hashes), VALUES_A_QUERY):
            rows = self._rows(RepeatedEvents(span, hashes[start : start + VALUES_A_QUERY]).sql())
            found += [
                RepeatedEvent(
                    str(event_id), tuple((str(t), int(p), int(offset)) for t, p, offset in places)
                )
                for event_id, places in rows
            ]
        return found

    def known_event_ids(self, topic: str, event_ids: Sequence[str]) -> set[str]:
        """Return the ids that the log holds; see `AuditStore.known_event_ids`."""
        found: set[str] = set()
        for start in range(0, len(event_ids), VALUES_A_QUERY):
            query = KnownIds(topic, event_ids[start : start + VALUES_A_QUERY])
            found.update(str(event_id) for (event_id,) in self._rows(query.sql()))
        return found

    def _rows(self, query: _Sql) -> list[Any]:
        text, parameters = query
        with self._connection.errors():
            found = self._connection.reader().query(text, parameters, settings=_GROUP_BY_SETTINGS)
            return list(found.result_rows)


def _group(cube: Cube, row: Sequence[Any]) -> GroupDifference:
    names = [dimension.name for dimension in cube.dimensions]
    values = row[1 + len(names) :]
    return GroupDifference(
        window_start_s=int(row[0]),
        group=dict(zip(names, row[1:], strict=False)),
        expected=dict(zip(MEASURES, values[: len(MEASURES)], strict=True)),
        found=dict(zip(MEASURES, values[len(MEASURES) :], strict=True)),
    )
