"""A ChunkStore in memory that keeps the promises of the real one: tokens, spans, one block."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from inferometer.core.chunks import Intent, PartitionSpan
from inferometer.core.dimension_lists import ADMITTED_SCHEMA
from inferometer.core.resumption import StoredProgress
from inferometer.names import (
    DIMENSION_VALUES_TABLE,
    INTENTS_TABLE,
    LEDGER_TABLE,
    REQUESTS_TABLE,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

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

    def progress(self, source: StreamPartition) -> StoredProgress:
        """Return how far a partition has come; see `ChunkStore.progress`."""
        closed = self._of(source, LEDGER_TABLE)
        next_offset = max((row["last_offset"] + 1 for row in closed), default=None)
        intents = [
            Intent.from_json(row["intent"])
            for row in self._of(source, INTENTS_TABLE)
            if next_offset is None or row["first_offset"] >= next_offset
        ]
        intents.sort(key=lambda intent: (intent.first_offset, -intent.decided_at_us))
        return StoredProgress(next_offset, intents[0] if intents else None)

    def spans_before_resize(
        self, source: StreamPartition, *, partition_count: int, since: datetime
    ) -> tuple[PartitionSpan, ...]:
        """Return what others stored before a resize; see `ChunkStore.spans_before_resize`."""
        rows = [
            row
            for block in self.blocks(LEDGER_TABLE)
            for row in block.to_pylist()
            if (row["kafka_topic"], row["stream_id"]) == (source.topic, source.stream_id)
            and row["decided_at"] >= since
            and row["partition_count"]
        ]
        if all(row["partition_count"] == partition_count for row in rows):
            return ()
        spans = []
        for partition in sorted({row["kafka_partition"] for row in rows} - {source.partition}):
            own = [row for row in rows if row["kafka_partition"] == partition]
            first = min(row["first_offset"] for row in own)
            spans.append(PartitionSpan(partition, first, max(r["last_offset"] for r in own) + 1))
        return tuple(spans)

    def admitted_values(self, source: StreamPartition, *, before: int) -> pa.Table:
        """Return what a partition had admitted; see `ChunkStore.admitted_values`."""
        rows = [
            row for row in self._of(source, DIMENSION_VALUES_TABLE) if row["kafka_offset"] < before
        ]
        latest = max((row["month"] for row in rows), default=None)
        rows = [row for row in rows if row["month"] == latest]
        rows.sort(key=lambda row: (row["kafka_offset"], row["kafka_index"]))
        return pa.Table.from_pylist(rows, ADMITTED_SCHEMA)

    def _of(self, source: StreamPartition, table: str) -> list[dict[str, Any]]:
        place = (source.topic, source.stream_id, source.partition)
        return [
            row
            for block in self.blocks(table)
            for row in block.to_pylist()
            if (row["kafka_topic"], row["stream_id"], row["kafka_partition"]) == place
        ]

    def find_events(
        self, *, source: StreamPartition, event_ids: Sequence[str], floor: int, before: int
    ) -> set[str]:
        """Return the ids that the log holds; see `ChunkStore.find_events`."""
        held = self.recent_event_ids(source=source, floor=floor, before=before)
        return set(held.to_pylist()) & set(event_ids)

    def dedupe_floor(self, source: StreamPartition, *, before: int, max_events: int) -> int:
        """Return where the latest events begin; see `ChunkStore.dedupe_floor`."""
        rows = [row for row in self._of(source, LEDGER_TABLE) if row["first_offset"] < before]
        floor, held = 0, 0
        for row in sorted(rows, key=lambda row: -int(row["first_offset"])):
            if held >= max_events:
                break
            floor, held = int(row["first_offset"]), held + int(row["stored"])
        return floor

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
            return list(self._blocks.get(table, {}).values())

    def tables(self) -> list[str]:
        """Return the tables that hold anything, in the order of their first insert."""
        with self._lock:
            return [table for table, blocks in self._blocks.items() if blocks]

    def rows(self, table: str) -> pa.Table | None:
        """Return all rows of a table as one; None while there is none."""
        blocks = self.blocks(table)
        return pa.concat_tables(blocks, promote_options="permissive") if blocks else None
