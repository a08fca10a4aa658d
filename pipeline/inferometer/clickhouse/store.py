"""Writes chunks to ClickHouse and answers what deduplication asks of the log."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pyarrow as pa

from inferometer.clickhouse.lost_inserts import TABLES_WITH_OFFSETS, LostInserts
from inferometer.clickhouse.memory_file import write_stream
from inferometer.clickhouse.queries import (
    AdmittedValues,
    DedupeFloor,
    EventIds,
    KnownEvents,
    OffsetSpan,
    Progress,
    SpansBeforeResize,
)
from inferometer.core.chunks import Intent, PartitionSpan
from inferometer.core.dimension_lists import ADMITTED_SCHEMA
from inferometer.core.resumption import StoredProgress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from inferometer.clickhouse.connect import StoreConnection
    from inferometer.core.chunks import StreamPartition

logger = logging.getLogger(__name__)

IDS_A_QUERY = 500
"""Bound values travel in the address of an HTTP request, which servers limit."""

INSERT_SETTINGS = {
    # On by default since 26.3; it answers before rows are stored, and dedupes in another place.
    "async_insert": "0",
    "insert_deduplicate": "1",
    # One insert is one block, so that its token is one token: no split by rows or bytes.
    "max_insert_block_size": "100000000",
    "min_insert_block_size_rows": "100000000",
    "min_insert_block_size_bytes": "0",
    # A replay may span more days than the default of 100 partitions.
    "max_partitions_per_insert_block": "0",
    # Delta rows of a chunk are distinct already: summing them again costs more than half the insert.
    "optimize_on_insert": "0",
}

# On a cluster any replica answers, and this must see what another one has acknowledged.
_LATEST = {"select_sequential_consistency": 1}


class ClickHouseChunkStore:
    """A `ChunkStore` on an open connection; every calling thread gets its own clients.

    Embedded, an insert is durable once the file system has it: a killed process loses nothing, a
    power loss may.
    """

    def __init__(self, connection: StoreConnection) -> None:
        self._connection = connection
        self._lost = LostInserts(connection)
        # Over a network the bytes cost more than their compression; in process they cost nothing.
        self._compression = None if connection.settings.is_embedded else "lz4"

    def insert(self, *, table: str, rows: pa.Table, token: str) -> None:
        """Store rows as one block; see `ChunkStore.insert`."""
        if rows.num_rows == 0:
            return
        self._insert(table, rows, token)
        if table in TABLES_WITH_OFFSETS and self._lost.are_possible():
            self._make_good(table, rows, token)

    def _make_good(self, table: str, rows: pa.Table, token: str) -> None:
        """Store again what a server lost of this insert's first try, when it was killed in it."""
        missing = self._lost.missing(table=table, rows=rows)
        if missing.num_rows:
            logger.warning(
                "the store forgot %d rows of %s but not their token, and has them again now; it was "
                "killed within an insert, so run `inferometer audit --fix` for the roll-ups",
                missing.num_rows, table, extra={"table": table, "reason": "orphan_token"},
            )  # fmt: skip
            self._insert(table, missing, f"{token}/again")

    def _insert(self, table: str, rows: pa.Table, token: str) -> None:
        # One batch: several would reach the table as several blocks under one token.
        rows = rows.combine_chunks().unify_dictionaries()
        settings = {**INSERT_SETTINGS, "insert_deduplication_token": token}
        client = self._connection.client()
        with self._connection.errors(), self._connection.patience.on(client):
            memory = self._connection.memory_file
            if memory is None:
                body = _as_stream(rows, self._compression)
                client.raw_insert(table, rows.column_names, body, settings, fmt="ArrowStream")
            else:
                with memory.holding(rows) as path:
                    client.command(_insert_from(path, table, rows.column_names, settings))

    def progress(self, source: StreamPartition) -> StoredProgress:
        """Return how far a partition has come; see `ChunkStore.progress`."""
        text, parameters = Progress(source).sql()
        with self._connection.errors():
            rows = self._connection.reader().query(text, parameters, settings=_LATEST).result_rows
        ((chunks, next_offset, intent),) = rows
        return StoredProgress(
            next_offset=int(next_offset) if chunks else None,
            open_intent=Intent.from_json(intent) if intent else None,
        )

    def spans_before_resize(
        self, source: StreamPartition, *, partition_count: int, since: datetime
    ) -> tuple[PartitionSpan, ...]:
        """Return what others stored before a resize; see `ChunkStore.spans_before_resize`."""
        text, parameters = SpansBeforeResize(source, partition_count, since).sql()
        with self._connection.errors():
            rows = self._connection.reader().query(text, parameters).result_rows
        return tuple(PartitionSpan(*map(int, row)) for row in rows)

    def dedupe_floor(self, source: StreamPartition, *, before: int, max_events: int) -> int:
        """Return where the latest events begin; see `ChunkStore.dedupe_floor`."""
        text, parameters = DedupeFloor(source, before, max_events).sql()
        client = self._connection.reader()
        with self._connection.errors():
            return int(client.query(text, parameters, settings=_LATEST).result_rows[0][0])

    def admitted_values(self, source: StreamPartition, *, before: int) -> pa.Table:
        """Return what a partition had admitted; see `ChunkStore.admitted_values`."""
        text, parameters = AdmittedValues(source, before).sql()
        client = self._connection.reader()
        with self._connection.errors():
            return client.query_arrow(text, parameters, settings=_LATEST).cast(ADMITTED_SCHEMA)

    def find_events(
        self, *, source: StreamPartition, event_ids: Sequence[str], floor: int, before: int
    ) -> set[str]:
        """Return the ids that the log holds; see `ChunkStore.find_events`."""
        span = OffsetSpan(source, floor, before)
        client = self._connection.reader()
        found: set[str] = set()
        for start in range(0, len(event_ids), IDS_A_QUERY):
            ids = tuple(event_ids[start : start + IDS_A_QUERY])
            text, parameters = KnownEvents(span, ids).sql()
            with self._connection.errors():
                found.update(row[0] for row in client.query(text, parameters).result_rows)
        return found

    def recent_event_ids(
        self, *, source: StreamPartition, floor: int, before: int
    ) -> pa.ChunkedArray:
        """Return the ids of a span of the log; see `ChunkStore.recent_event_ids`."""
        text, parameters = EventIds(OffsetSpan(source, floor, before)).sql()
        client = self._connection.reader()
        with self._connection.errors():
            return client.query_arrow(text, parameters).column(0).cast(pa.string())


def _as_stream(rows: pa.Table, compression: str | None) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    write_stream(rows, sink, compression)
    return sink.getvalue()


def _insert_from(path: str, table: str, columns: Sequence[str], settings: Mapping[str, str]) -> str:
    names = ", ".join(f"`{column}`" for column in columns)
    values = ", ".join(f"{name} = {_quoted(value)}" for name, value in settings.items())
    return (
        f"INSERT INTO {table} ({names}) FROM INFILE {_quoted(path)} SETTINGS {values} "
        "FORMAT ArrowStream"
    )


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
