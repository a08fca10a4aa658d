"""Assembles the real worker over a store, as `inferometer worker` does, and tells how far it is."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from inferometer.core.cubes import CUBES
from inferometer.jobs.process_chunk import ProcessChunk
from inferometer.jobs.sink_policy import SinkPolicy
from inferometer.kafka.settings import KafkaSettings, WorkerSettings
from inferometer.kafka.worker import SinkWorker
from inferometer.prices import load_book
from inferometer.runtime.clock import now
from inferometer.runtime.worker import publish_prices

if TYPE_CHECKING:
    from collections.abc import Callable

    from inferometer.core.chunks import Chunk, ChunkOutcome, StreamPartition
    from inferometer.core.cubes import Cube
    from inferometer.kafka.surroundings import Committer
    from inferometer.ports import ChunkStore, Lease


class CountingProcessor(ProcessChunk):
    """Knows how many events each chunk held, since a record may hold many."""

    def __init__(self, *, store: ChunkStore, cubes: tuple[Cube, ...] = CUBES) -> None:
        self.book = load_book()
        super().__init__(store=store, book=self.book, policy=SinkPolicy(), clock=now, cubes=cubes)
        self.stored = 0
        self._waiting: dict[int, list[tuple[int, int]]] = defaultdict(list)
        self._lock = threading.Lock()

    def run(self, chunk: Chunk, lease: Lease) -> ChunkOutcome:
        """Process a chunk and note how many events it held."""
        outcome = super().run(chunk, lease)
        with self._lock:
            self.stored += outcome.stored
            self._waiting[chunk.source.partition].append(
                (chunk.intent.last_offset + 1, outcome.events)
            )
        return outcome

    def acknowledged(self, partition: int, next_offset: int) -> int:
        """Return how many events an acknowledgement is about."""
        with self._lock:
            waiting = self._waiting[partition]
            done = sum(events for end, events in waiting if end <= next_offset)
            self._waiting[partition] = [each for each in waiting if each[0] > next_offset]
        return done

    def revoked(self, source: StreamPartition) -> None:
        """Forget a partition."""
        super().revoked(source)
        self._waiting.pop(source.partition, None)


def build_worker(
    *,
    kafka: KafkaSettings,
    processor: CountingProcessor,
    store: ChunkStore,
    on_acknowledged: Callable[[str, int, int], None],
    chunk_max_wait_s: float | None = None,
    decorate_committer: Callable[[Committer], Committer] = lambda committer: committer,
) -> SinkWorker:
    """Return the worker with its default settings, its price book published."""
    publish_prices(store, processor.book)
    settings = WorkerSettings(kafka=kafka, gapless=bool(kafka.run_epoch))
    if chunk_max_wait_s is not None:
        settings = replace(settings, chunk_max_wait_s=chunk_max_wait_s)
    return SinkWorker(
        settings=settings,
        processor=processor,
        clock=now,
        on_acknowledged=on_acknowledged,
        decorate_committer=decorate_committer,
    )
