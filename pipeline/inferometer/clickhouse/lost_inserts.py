"""Finds what a plain server lost of an insert although it swallows the retry: orphan tokens from afar.

A plain MergeTree notes a token and then makes its part visible; killed in between, it answers the
retry as a duplicate and the rows never appear. `orphan_tokens` mends the files of a folder; of a
server without replication only its answers are to be had. It can be asked about the tables whose
rows carry offsets; roll-up rows do not, so for them the audit compares log and roll-ups.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from inferometer.clickhouse.queries import OffsetSpan, StoredPlaces
from inferometer.clickhouse.refusals import store_errors
from inferometer.core.chunks import StreamPartition
from inferometer.names import DEAD_LETTERS_TABLE, DIMENSION_VALUES_TABLE, REQUESTS_TABLE

if TYPE_CHECKING:
    import pyarrow as pa

    from inferometer.clickhouse.connect import StoreConnection

TABLES_WITH_OFFSETS = (REQUESTS_TABLE, DEAD_LETTERS_TABLE, DIMENSION_VALUES_TABLE)

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

        None are, where rows have no offsets to tell them by. They are stored under a token of their own, `<token>/again`: the first is an orphan.
        """
        if rows.num_rows == 0 or "kafka_offset" not in rows.column_names:
            return rows.slice(0, 0)
        offsets = rows.column("kafka_offset").to_numpy().astype(np.uint64)
        indexes = np.zeros(len(offsets), dtype=np.uint64)
        if "kafka_index" in rows.column_names:
            indexes = rows.column("kafka_index").to_numpy().astype(np.uint64)
        span = OffsetSpan(_source(rows), int(offsets.min()), int(offsets.max()) + 1)
        text, parameters = StoredPlaces(table, span).sql()
        with store_errors(self._connection.settings.place):
            stored = self._connection.reader().query_arrow(text, parameters)
        known = _places(
            stored.column("kafka_offset").to_numpy(), stored.column("kafka_index").to_numpy()
        )
        return rows.filter(~np.isin(_places(offsets, indexes), known))


def _source(rows: pa.Table) -> StreamPartition:
    first = rows.slice(0, 1).to_pylist()[0]
    return StreamPartition(first["kafka_topic"], first["kafka_partition"], first["stream_id"])


def _places(offsets: np.ndarray[Any, Any], indexes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return offset and index as one comparable value each."""
    places = np.empty(len(offsets), dtype=[("offset", np.uint64), ("index", np.uint64)])
    places["offset"], places["index"] = offsets, indexes
    return places
