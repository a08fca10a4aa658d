"""Process a chunk: judge, deduplicate, price, aggregate, store; the order of effects of the sink.

What a chunk yields is a pure function of its records and its intent, so it may be processed any
number of times: every insert carries a token that is derived from the chunk alone.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from inferometer import names
from inferometer.core.admission import Admission, admit
from inferometer.core.chunks import Chunk, ChunkOutcome, Intent, StreamPartition
from inferometer.core.cubes import CUBES, CUBES_VERSION, Cube, rows_table
from inferometer.core.door import DoorPolicy, complete
from inferometer.core.duplicates import Horizon, hash_texts, repeated_in_chunk
from inferometer.core.log_rows import log_table
from inferometer.core.price_columns import price_columns
from inferometer.core.rollups import Measured, aggregate, coarsen, measure, to_arrow
from inferometer.core.state_rows import dead_letter_table, ledger_table, watermark_table
from inferometer.core.watermarks import WatermarkPolicy, WatermarkState
from inferometer.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from inferometer.core.columns import EventColumns
    from inferometer.core.price_book import PriceBook
    from inferometer.core.records import RecordColumns
    from inferometer.ports import ChunkStore

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_US_PER_MS = 1000


@dataclass(frozen=True, slots=True)
class SinkPolicy:
    """How the sink judges time and remembers events."""

    retention: timedelta = timedelta(days=14)
    future_tolerance: timedelta = timedelta(minutes=5)
    watermark_bound: timedelta = timedelta(seconds=10)
    idle_step: timedelta = timedelta(seconds=5)
    """An idle partition's watermark is stored when it has risen by this much, to spare inserts."""
    dedupe_horizon: timedelta = timedelta(minutes=10)
    dedupe_max_events: int = 5_000_000


@dataclass(frozen=True, slots=True)
class _Remembered:
    first_offset: int
    append_ms: int


@dataclass(slots=True)
class _Partition:
    """What the sink keeps of a partition between chunks; all of it can be rebuilt from the log."""

    horizon: Horizon
    remembered: deque[_Remembered]
    watermark: WatermarkState = field(default_factory=WatermarkState)
    stored_watermark_us: int = 0


class ProcessChunk:
    """The sink's job over the port ChunkStore; implements the port ChunkProcessor.

    `run` may be called from several threads, one partition at a time.
    """

    def __init__(
        self,
        *,
        store: ChunkStore,
        book: PriceBook,
        policy: SinkPolicy,
        clock: Callable[[], datetime],
        cubes: tuple[Cube, ...] = CUBES,
    ) -> None:
        self._store = store
        self._book = book
        self._policy = policy
        self._clock = clock
        self._cubes = cubes
        self._watermarks = WatermarkPolicy(bound_us=policy.watermark_bound // _MICROSECOND)
        self._partitions: dict[StreamPartition, _Partition] = {}

    def assigned(self, source: StreamPartition, next_offset: int) -> None:
        """Fill the deduplication horizon from the log as of `next_offset`."""
        floor = max(0, next_offset - self._policy.dedupe_max_events)
        horizon = Horizon()
        if next_offset > floor:
            stored = self._store.recent_event_ids(source=source, floor=floor, before=next_offset)
            for part in stored.chunks:
                horizon.add(hash_texts(part), next_offset - 1)
        # Their append times are not in the log: they count as appended now, and so stay longer.
        now_ms = self._now_us() // _US_PER_MS
        self._partitions[source] = _Partition(horizon, deque([_Remembered(floor, now_ms)]))

    def revoked(self, source: StreamPartition) -> None:
        """Forget a partition that another worker has taken over."""
        self._partitions.pop(source, None)

    def plan(self, source: StreamPartition, records: RecordColumns) -> Intent:
        """Pin all that the outcome of these records depends on."""
        first, last = int(records.offsets[0]), int(records.offsets[-1])
        floor = self._floor(self._partitions[source], first, int(records.append_times_ms[0]))
        return Intent(
            first_offset=first,
            last_offset=last,
            decided_at_us=self._now_us(),
            dedupe_floor=floor,
            price_version=self._book.version,
            cubes_version=CUBES_VERSION,
        )

    def _floor(self, partition: _Partition, first_offset: int, append_ms: int) -> int:
        oldest_ms = append_ms - self._policy.dedupe_horizon // timedelta(milliseconds=1)
        oldest_offset = first_offset - self._policy.dedupe_max_events
        remembered = partition.remembered
        remembered.append(_Remembered(first_offset, append_ms))
        while len(remembered) > 1 and (
            remembered[1].append_ms <= oldest_ms or remembered[1].first_offset <= oldest_offset
        ):
            remembered.popleft()
        return max(0, remembered[0].first_offset, oldest_offset)

    def run(self, chunk: Chunk) -> ChunkOutcome:
        """Store everything that a chunk yields.

        1. Judge, deduplicate, price, aggregate: no effect yet.
        2. Log rows. A crash after it: the replay repeats the insert under the same token.
        3. Roll-up rows of each cube and resolution, then dead letters: as above.
        4. The ledger row, last: where it stands, everything before it stands.
        The acknowledgement is the caller's, after this returns.
        Raises StoreError; nothing is remembered of a chunk that failed.
        """
        self._require_versions(chunk.intent)
        intent, source = chunk.intent, chunk.source
        admission = admit(chunk.records, self._door(intent.decided_at_us))
        hashes, kept, duplicates = self._without_duplicates(chunk, admission)
        events = admission.rows.select(kept, admission.offsets, admission.indexes)
        tables = self._tables(events, source)
        if admission.dead_letters:
            tables[names.DEAD_LETTERS_TABLE] = dead_letter_table(
                admission.dead_letters, source, intent.decided_at_us
            )
        outcome = self._outcome(chunk, admission, events, duplicates)
        tables[names.LEDGER_TABLE] = ledger_table(outcome, intent, source)
        for table, rows in tables.items():
            self._store.insert(table=table, rows=rows, token=chunk.token(table))
        partition = self._partitions[source]
        partition.horizon.evict(intent.dedupe_floor)
        partition.horizon.add(hashes[kept], intent.last_offset)
        partition.watermark.raise_to(outcome.watermark_us)
        partition.stored_watermark_us = max(partition.stored_watermark_us, outcome.watermark_us)
        return outcome

    def idle(self, source: StreamPartition, broker_time_us: int) -> None:
        """Let the watermark of a partition with nothing left to read follow the broker's clock."""
        partition = self._partitions.get(source)
        if partition is None:
            return
        watermark_us = partition.watermark.idle(broker_us=broker_time_us, policy=self._watermarks)
        if watermark_us - partition.stored_watermark_us >= self._policy.idle_step // _MICROSECOND:
            self._store.insert(
                table=names.WATERMARKS_TABLE,
                rows=watermark_table(source, watermark_us, self._now_us()),
                token=f"{source.stream_id}/{source.partition}/idle/{watermark_us}",
            )
            partition.stored_watermark_us = watermark_us

    def final_before_us(self) -> int:
        """Return the event time up to which every assigned partition is stored as complete."""
        return min((p.stored_watermark_us for p in self._partitions.values()), default=0)

    def _door(self, decided_at_us: int) -> DoorPolicy:
        return DoorPolicy(
            now_us=decided_at_us,
            retention_us=self._policy.retention // _MICROSECOND,
            future_tolerance_us=self._policy.future_tolerance // _MICROSECOND,
        )

    def _without_duplicates(
        self, chunk: Chunk, admission: Admission
    ) -> tuple[NDArray[np.uint64], NDArray[np.int64], int]:
        """Return the hash of each row's event_id, the rows that stay, and how many did not."""
        accepted = np.flatnonzero(admission.accepted)
        ids = admission.rows.texts("event_id", accepted)
        hashes = np.zeros(len(admission.accepted), dtype=np.uint64)
        hashes[accepted] = hash_texts(ids)
        repeated = repeated_in_chunk(hashes[accepted], ids)
        candidates = self._partitions[chunk.source].horizon.seen(hashes[accepted]) & ~repeated
        if candidates.any():
            places = np.flatnonzero(candidates)
            texts = ids.take(pa.array(places)).to_pylist()
            known = self._store.find_events(
                source=chunk.source,
                event_ids=texts,
                floor=chunk.intent.dedupe_floor,
                before=chunk.intent.first_offset,
            )
            repeated[places] = [text in known for text in texts]
        return hashes, accepted[~repeated], int(repeated.sum())

    def _tables(self, events: EventColumns, source: StreamPartition) -> dict[str, pa.Table]:
        if len(events) == 0:
            return {}
        complete(events.numbers)
        costs = price_columns(self._book, events)
        tables = {names.REQUESTS_TABLE: log_table(events, costs, source)}
        measured = measure(events, costs)
        for cube in self._cubes:
            tables |= _rollup_tables(measured, cube)
        return tables

    def _outcome(
        self, chunk: Chunk, admission: Admission, events: EventColumns, duplicates: int
    ) -> ChunkOutcome:
        # Of this chunk alone, so that a replay writes the same; readers take the maximum.
        watermark_us = 0
        if len(events):
            watermark_us = WatermarkState().observe(
                newest_event_us=int(events.numbers["ts_end"].max()),
                append_us=int(chunk.records.append_times_ms.max()) * _US_PER_MS,
                policy=self._watermarks,
            )
        dead = len(admission.dead_letters)
        return ChunkOutcome(
            records=len(chunk.records),
            events=len(events) + dead + duplicates,
            stored=len(events),
            dead=dead,
            duplicates=duplicates,
            unknown_fields=admission.unknown_fields,
            watermark_us=watermark_us,
        )

    def _require_versions(self, intent: Intent) -> None:
        wanted = (intent.price_version, intent.cubes_version)
        if wanted != (self._book.version, CUBES_VERSION):
            raise StateError(
                f"an open chunk was begun under price book {wanted[0]} and cubes {wanted[1]}, this "
                f"worker has {self._book.version} and {CUBES_VERSION}; finish it with the old "
                "version (start it once, let it drain, stop it), then upgrade"
            )

    def _now_us(self) -> int:
        return (self._clock() - _EPOCH) // _MICROSECOND


def _rollup_tables(measured: Measured, cube: Cube) -> dict[str, pa.Table]:
    tables: dict[str, pa.Table] = {}
    finest, *coarser = cube.resolutions
    delta = aggregate(measured, cube, finest)
    tables[rows_table(cube, finest)] = to_arrow(delta)
    for resolution in coarser:
        delta = coarsen(delta, resolution)
        tables[rows_table(cube, resolution)] = to_arrow(delta)
    return tables
