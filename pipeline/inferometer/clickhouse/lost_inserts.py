"""Finds what a plain server lost of an insert although it swallows the retry: orphan tokens from afar.

A plain MergeTree notes a token and then makes its part visible; killed in between, it answers the
retry as a duplicate and the rows never appear. `orphan_tokens` mends the files of a folder; of a
server without replication only its answers are to be had. It can be asked about the tables whose
rows carry offsets; roll-up rows do not, so for them the audit compares log and roll-ups.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inferometer.clickhouse.queries import OffsetSpan, StoredPlaces
from inferometer.clickhouse.refusals import store_errors
from inferometer.core.chunks import StreamPartition
from inferometer.names import DEAD_LETTERS_TABLE, DIMENSION_VALUES_TABLE, REQUESTS_TABLE

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from inferometer.clickhouse.connect import StoreConnection

TABLES_WITH_OFFSETS = (REQUESTS_TABLE, DEAD_LETTERS_TABLE, DIMENSION_VALUES_TABLE)

_INDEX_BITS = np.uint64(24)
"""Far more events than a record may hold (`core.envelopes`); the rest is for a chunk's offsets."""

SUSPICION_S = 900
"""So long after its start a server is asked: retries of what it lost have come by then."""


class LostInserts:
    """Compares rows that should be stored with those that are."""

    def __init__(self, connection: StoreConnection) -> None:
        self._connection = connection

    def are_possible(self) -> bool:
        """Say whether the store was started lately. Raises StoreError.

        Never for a folder of our own, which is mended before it is opened, nor for replicated
        tables, which keep token and part together.
        """
        settings = self._connection.settings
        if settings.is_embedded or settings.replicated:
            return False
        with store_errors(settings.place):
            ((uptime_s,),) = self._connection.reader().query("SELECT uptime()").result_rows
        return int(uptime_s) < SUSPICION_S

    def missing(self, *, table: str, rows: pa.Table) -> pa.Table:
        """Return those rows of one partition's insert that a table lacks. Raises StoreError.

        None are, where rows have no offsets to tell them by. They are stored under a token of their
        own, `<token>/again`: the first is an orphan.
        """
        if rows.num_rows == 0 or "kafka_offset" not in rows.column_names:
            return rows.slice(0, 0)
        offsets = rows.column("kafka_offset").to_numpy().astype(np.uint64)
        indexes = np.zeros(len(offsets), dtype=np.uint64)
        if "kafka_index" in rows.column_names:
            indexes = rows.column("kafka_index").to_numpy().astype(np.uint64)
        first = int(offsets.min())
        span = OffsetSpan(_source(rows), first, int(offsets.max()) + 1)
        text, parameters = StoredPlaces(table, span).sql()
        with self._connection.errors():
            stored = self._connection.reader().query_arrow(text, parameters)
        known = _places(
            stored.column("kafka_offset").to_numpy(),
            stored.column("kafka_index").to_numpy(),
            first,
        )
        return rows.filter(~np.isin(_places(offsets, indexes, first), known))


def _source(rows: pa.Table) -> StreamPartition:
    first = rows.slice(0, 1).to_pylist()[0]
    return StreamPartition(first["kafka_topic"], first["kafka_partition"], first["stream_id"])


def _places(
    offsets: NDArray[np.uint64], indexes: NDArray[np.uint64], first: int
) -> NDArray[np.uint64]:
    """Return offset and index as one number each, which sorts a hundred times as fast as a pair."""
    return ((offsets.astype(np.uint64) - np.uint64(first)) << _INDEX_BITS) | indexes.astype(
        np.uint64
    )
