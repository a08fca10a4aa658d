"""A processor of chunks that keeps what it was asked, for tests of the sink."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inferometer.core.chunks import Chunk, ChunkOutcome, Intent, StreamPartition
from inferometer.core.resumption import GroupPosition, Resumption, StoredProgress, resume

if TYPE_CHECKING:
    from collections.abc import Callable

    from inferometer.core.records import RecordColumns
    from inferometer.ports import Lease

NOTHING_STORED = StoredProgress(None, None)


@dataclass
class RecordingProcessor:
    """Implements ChunkProcessor; `before_run` may block or raise."""

    while_computing: Callable[[Chunk], None] = lambda _chunk: None
    before_run: Callable[[Chunk], None] = lambda _chunk: None
    before_run_under: Callable[[Chunk, Lease], None] = lambda _chunk, _lease: None
    before_assigned: Callable[[StreamPartition], None] = lambda _source: None
    calls: list[tuple[str, int, int]] = field(default_factory=list)
    """(what, partition, offset) in the order of their beginning."""
    chunks: list[Chunk] = field(default_factory=list)
    """Those that ran to their end."""
    planned: list[Intent] = field(default_factory=list)
    progress: StoredProgress = NOTHING_STORED
    idle_at_us: list[int] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def assigned(
        self, source: StreamPartition, group: GroupPosition, partition_count: int
    ) -> Resumption:
        found = resume(group, self.progress)
        self._note("assigned", source, found.offset)
        self.before_assigned(source)
        return found

    def plan(self, source: StreamPartition, records: RecordColumns) -> Intent:
        intent = Intent(
            first_offset=int(records.offsets[0]),
            last_offset=int(records.offsets[-1]),
            decided_at_us=1,
            dedupe_floor=0,
            price_version="prices",
            cubes_version="cubes",
        )
        self._note("plan", source, intent.first_offset)
        self.planned.append(intent)
        return intent

    def run(self, chunk: Chunk, lease: Lease) -> ChunkOutcome:
        self._note("run", chunk.source, chunk.intent.first_offset)
        self.while_computing(chunk)
        lease.check()
        self.before_run(chunk)
        self.before_run_under(chunk, lease)
        with self._lock:
            self.chunks.append(chunk)
        count = len(chunk.records)
        return ChunkOutcome(
            records=count,
            events=count,
            stored=count,
            dead=0,
            duplicates=0,
            unknown_fields=0,
            watermark_us=0,
        )

    def idle(self, source: StreamPartition, broker_time_us: int) -> None:
        self._note("idle", source, 0)
        self.idle_at_us.append(broker_time_us)

    def revoked(self, source: StreamPartition) -> None:
        self._note("revoked", source, 0)

    def _note(self, what: str, source: StreamPartition, offset: int) -> None:
        with self._lock:
            self.calls.append((what, source.partition, offset))

    def values(self, partition: int) -> list[bytes]:
        """Return the values of a partition, in the order of the chunks that ran."""
        return [
            chunk.records.value(index)
            for chunk in list(self.chunks)
            if chunk.source.partition == partition
            for index in range(len(chunk.records))
        ]

    def offsets(self, partition: int) -> list[int]:
        """Return the offsets of a partition, in the order of the chunks that ran."""
        return [
            offset
            for chunk in list(self.chunks)
            if chunk.source.partition == partition
            for offset in chunk.records.offsets.tolist()
        ]

    def tokens(self) -> list[str]:
        """Return the token of each chunk that ran."""
        return [chunk.token("t") for chunk in list(self.chunks)]
