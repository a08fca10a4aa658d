"""A ChunkStore in memory that keeps the promises of the real one: tokens, spans, one block."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from inferometer.names import REQUESTS_TABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inferometer.core.chunks import StreamPartition


class MemoryChunkStore:
    """Keeps inserted blocks by table; an insert under a token of its table is kept once."""

    def __init__(self) -> None:
        self._blocks: dict[str, dict[str, pa.Table]] = defaultdict(dict)
        self._lock = threading.Lock()
        self._failures: list[Exception] = []
        self.repeated_tokens: list[str] = []
        """Tokens of inserts that were already there, in order."""

    def fail_next(self, *errors: Exception) -> None:
        """Let the next inserts raise these, one each, and store nothing."""
        self._failures.extend(errors)

    def insert(self, *, table: str, rows: pa.Table, token: str) -> None:
        """Keep rows unless the table has the token; see `ChunkStore.insert`."""
        with self._lock:
            if self._failures:
                raise self._failures.pop(0)
            if rows.num_rows == 0:
                return
            if token in self._blocks[table]:
                self.repeated_tokens.append(token)
            else:
                self._blocks[table][token] = rows

    def find_events(
        self, *, source: StreamPartition, event_ids: Sequence[str], floor: int, before: int
    ) -> set[str]:
        """Return the ids that the log holds; see `ChunkStore.find_events`."""
        held = self.recent_event_ids(source=source, floor=floor, before=before)
        return set(held.to_pylist()) & set(event_ids)

    def recent_event_ids(
        self, *, source: StreamPartition, floor: int, before: int
    ) -> pa.ChunkedArray:
        """Return the ids of a span of the log; see `ChunkStore.recent_event_ids`."""
        chunks = []
        for block in self.blocks(REQUESTS_TABLE):
            held = block.filter(
                (pc.field("kafka_topic") == source.topic)
                & (pc.field("stream_id") == source.stream_id)
                & (pc.field("kafka_partition") == source.partition)
                & (pc.field("kafka_offset") >= floor)
                & (pc.field("kafka_offset") < before)
            )
            columns = ["event_id", "kafka_offset"] + (
                ["kafka_index"] if "kafka_index" in held.column_names else []
            )
            chunks.append(held.select(columns))
        if not chunks:
            return pa.chunked_array([], type=pa.string())
        rows = pa.concat_tables(chunks, promote_options="permissive")
        order = [(name, "ascending") for name in rows.column_names[1:]]
        return rows.sort_by(order).column("event_id").cast(pa.string())

    def blocks(self, table: str) -> list[pa.Table]:
        """Return what was inserted into a table, one entry a token, in order of arrival."""
        with self._lock:
            return list(self._blocks[table].values())

    def rows(self, table: str) -> pa.Table | None:
        """Return all rows of a table as one; None while there is none."""
        blocks = self.blocks(table)
        return pa.concat_tables(blocks, promote_options="permissive") if blocks else None
