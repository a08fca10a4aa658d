"""Process a chunk: judge, deduplicate, price, aggregate, store; the order of effects of the sink.

What a chunk yields is a pure function of its records and its intent, so it may be processed any
number of times: every insert carries a token that is derived from the chunk alone.
"""

from __future__ import annotations

import logging
from collections import Counter
from concurrent.futures import wait
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from inferometer import names
from inferometer.core.admission import Admission, admit
from inferometer.core.chunks import Chunk, ChunkOutcome, Intent, StreamPartition
from inferometer.core.cubes import CUBES, CUBES_VERSION, Cube, rows_table
from inferometer.core.dimension_lists import DimensionLists, Folding
from inferometer.core.door import complete
from inferometer.core.judged import WHOLE
from inferometer.core.log_rows import log_table
from inferometer.core.price_columns import price_columns
from inferometer.core.reasons import Reason, Refusal
from inferometer.core.resumption import GroupPosition, Resumption, resume
from inferometer.core.rollups import Measured, aggregate, coarsen, measure, to_arrow
from inferometer.core.state_rows import (
    dead_letter_table,
    dimension_values_table,
    intent_table,
    ledger_table,
    watermark_table,
)
from inferometer.core.watermarks import WatermarkPolicy, WatermarkState
from inferometer.errors import PipelineError, StateError
from inferometer.jobs.seen_events import SeenEvents

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Executor

    from numpy.typing import NDArray

    from inferometer.core.columns import EventColumns
    from inferometer.core.price_book import PriceBook
    from inferometer.core.records import RecordColumns
    from inferometer.jobs.sink_policy import SinkPolicy
    from inferometer.ports import ChunkStore, Lease

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_US_PER_MS = 1000
DAY_US = 86_400_000_000

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Computed:
    """What a chunk yields: tables in the order of their inserts, hashes of the stored events."""

    tables: dict[str, pa.Table]
    hashes: NDArray[np.uint64]
    outcome: ChunkOutcome
    folding: Folding | None


@dataclass(slots=True)
class _Partition:
    """What the sink keeps of a partition between chunks; all of it can be rebuilt from the log."""

    seen: SeenEvents
    lists: DimensionLists
    tried: tuple[Chunk, _Computed] | None = None
    """A chunk that the store did not take, and what it yields: computed once, however often tried."""
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
        beside: Executor | None = None,
    ) -> None:
        """Take what to work with; `beside` inserts roll-ups while log rows are being inserted."""
        self._store = store
        self._beside = beside
        self._book = book
        self._policy = policy
        self._clock = clock
        self._cubes = cubes
        self._watermarks = WatermarkPolicy(bound_us=policy.watermark_bound // _MICROSECOND)
        self._partitions: dict[StreamPartition, _Partition] = {}

    def assigned(
        self, source: StreamPartition, group: GroupPosition, partition_count: int
    ) -> Resumption:
        """Find where to go on, and fill the deduplication horizon from the log as of there."""
        resumption = resume(group, self._store.progress(source))
        seen = SeenEvents(self._store, self._policy, source, partition_count)
        seen.recall(resumption, self._clock())
        admitted = self._store.admitted_values(source, before=resumption.offset)
        self._partitions[source] = _Partition(seen, DimensionLists.of_rows(admitted))
        return resumption

    def revoked(self, source: StreamPartition) -> None:
        """Forget a partition that another worker has taken over."""
        self._partitions.pop(source, None)

    def plan(self, source: StreamPartition, records: RecordColumns) -> Intent:
        """Pin all that the outcome of these records depends on."""
        seen = self._partitions[source].seen
        floor, elsewhere = seen.pin(records)
        return Intent(
            first_offset=int(records.offsets[0]),
            last_offset=int(records.offsets[-1]),
            decided_at_us=self._now_us(),
            dedupe_floor=floor,
            price_version=self._book.version,
            cubes_version=CUBES_VERSION,
            partition_count=seen.partition_count,
            elsewhere=elsewhere,
            caps=self._policy.caps.caps,
        )

    def run(self, chunk: Chunk, lease: Lease) -> ChunkOutcome:
        """Store everything that a chunk yields.

        1. Judge, deduplicate, price, aggregate: no effect yet.
        2. The intent. A crash after it: whoever goes on knows how far the chunk reaches.
        3. In no order: log rows, roll-up rows of each cube and resolution, the values that a cap
           admits, dead letters. A crash within: the replay repeats each insert under its token;
           what was admitted at or behind the chunk's beginning counts for none.
        4. The ledger row, last: where it stands, everything before it stands.
        The acknowledgement is the caller's, after this returns.
        Raises StoreError and LeaseError; nothing is remembered of a chunk that failed.
        """
        self._require_versions(chunk.intent)
        partition = self._partitions[chunk.source]
        if partition.tried is None or partition.tried[0] is not chunk:
            partition.tried = (chunk, self._compute(chunk))
        computed = partition.tried[1]
        self._store_all(chunk, computed.tables, lease)
        partition.tried = None
        outcome = computed.outcome
        partition.seen.add(computed.hashes, chunk.intent)
        if computed.folding is not None:
            partition.lists.adopt(computed.folding)
        partition.watermark.raise_to(outcome.watermark_us)
        partition.stored_watermark_us = max(partition.stored_watermark_us, outcome.watermark_us)
        return outcome

    def _store_all(self, chunk: Chunk, tables: Mapping[str, pa.Table], lease: Lease) -> None:
        """Insert every table, the first before and the last after all others."""
        intent, *between, ledger = tables.items()
        self._insert(chunk, [intent], lease)
        if self._beside is None:
            self._insert(chunk, between, lease)
        else:
            rest = self._beside.submit(self._insert, chunk, between[1:], lease)
            try:
                self._insert(chunk, between[:1], lease)
            finally:
                # Whatever failed: no insert of a chunk may be under way when it is tried again.
                wait([rest])
            rest.result()
        self._insert(chunk, [ledger], lease)

    def _insert(self, chunk: Chunk, tables: Sequence[tuple[str, pa.Table]], lease: Lease) -> None:
        for table, rows in tables:
            lease.check()
            self._store.insert(table=table, rows=rows, token=chunk.token(table))

    def _compute(self, chunk: Chunk) -> _Computed:
        """Compute what a chunk yields; an event that computation fails on becomes a dead letter."""
        try:
            return self._computed(chunk, {})
        except (PipelineError, MemoryError):
            raise
        except Exception:
            poison = self._poison(chunk)
            if not poison:
                raise
            logger.exception(
                "%d events failed in computation and are dead letters now; please report it",
                len(poison),
                extra={
                    "topic": chunk.source.topic,
                    "partition": chunk.source.partition,
                    "first_offset": chunk.intent.first_offset,
                    "last_offset": chunk.intent.last_offset,
                    "reason": "internal_error",
                },
            )
            return self._computed(chunk, poison)

    def _poison(self, chunk: Chunk) -> dict[tuple[int, int], Refusal]:
        """Return which events cannot be computed, each alone, and why, by record and index."""
        found: dict[tuple[int, int], Refusal] = {}
        spans = [(0, len(chunk.records))]
        while spans:
            start, stop = spans.pop()
            part = replace(chunk, records=chunk.records.stretch(start, stop))
            if stop - start == 1:
                refused = self._poison_within(part)
                found |= {(start, index): refusal for index, refusal in refused}
            elif self._fails(part):
                half = (start + stop) // 2
                spans += [(start, half), (half, stop)]
        return found

    def _fails(self, part: Chunk) -> bool:
        try:
            admission = admit(part.records, self._policy.door(part.intent.decided_at_us))
            self._tables(admission.select(np.flatnonzero(admission.accepted)), part)
        except (PipelineError, MemoryError):
            raise
        except Exception:  # noqa: BLE001 - which of its records, and why, is found next
            return True
        return False

    def _poison_within(self, alone: Chunk) -> list[tuple[int, Refusal]]:
        """Return the events of one record that fail, or the record where that cannot be told."""
        admission: Admission | None = None
        try:
            admission = admit(alone.records, self._policy.door(alone.intent.decided_at_us))
            self._tables(admission.select(np.flatnonzero(admission.accepted)), alone)
        except (PipelineError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 - its reason is kept with the record
            within = [] if admission is None else self._failures(admission, alone)
            return within or [(WHOLE, _failed(error))]
        return []

    def _failures(self, admission: Admission, alone: Chunk) -> list[tuple[int, Refusal]]:
        found: list[tuple[int, Refusal]] = []
        for place in np.flatnonzero(admission.accepted):
            try:
                self._tables(admission.select(np.array([place])), alone)
            except (PipelineError, MemoryError):
                raise
            except Exception as error:  # noqa: BLE001 - its reason is kept with the event
                found.append((int(admission.indexes[place]), _failed(error)))
        return found

    def _computed(self, chunk: Chunk, poison: Mapping[tuple[int, int], Refusal]) -> _Computed:
        intent, source = chunk.intent, chunk.source
        admission = admit(chunk.records, self._policy.door(intent.decided_at_us), poison)
        seen = self._partitions[source].seen
        hashes, kept, duplicates = seen.without_duplicates(admission, intent)
        events = admission.select(kept)
        rows, folding = self._tables(events, chunk)
        tables = {names.INTENTS_TABLE: intent_table(intent, source), **rows}
        if admission.dead_letters:
            tables[names.DEAD_LETTERS_TABLE] = dead_letter_table(
                admission.dead_letters, source, intent.decided_at_us
            )
        outcome = self._outcome(chunk, admission, events, duplicates)
        if folding is not None:
            outcome = replace(
                outcome, folded=folding.folded_events(), admitted=folding.new_values()
            )
        tables[names.LEDGER_TABLE] = ledger_table(outcome, intent, source)
        return _Computed(tables, hashes[kept], outcome, folding)

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
        # A copy: others ask from their threads.
        return min((p.stored_watermark_us for p in tuple(self._partitions.values())), default=0)

    def _tables(
        self, events: EventColumns, chunk: Chunk
    ) -> tuple[dict[str, pa.Table], Folding | None]:
        if len(events) == 0:
            return {}, None
        complete(events.numbers)
        costs = price_columns(self._book, events)
        tables = {names.REQUESTS_TABLE: log_table(events, costs, chunk.source)}
        measured = measure(events, costs)
        folding = self._partitions[chunk.source].lists.fold(
            measured.dimensions, events, chunk.intent
        )
        measured = replace(measured, dimensions=folding.columns)
        for cube in self._cubes:
            tables |= _rollup_tables(measured, cube)
        if folding.admitted:
            tables[names.DIMENSION_VALUES_TABLE] = dimension_values_table(
                folding, events, chunk.source
            )
        return tables, folding

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
        reasons = Counter(letter.refusal.reason.value for letter in admission.dead_letters)
        dead = len(admission.dead_letters)
        return ChunkOutcome(
            records=len(chunk.records),
            events=len(events) + dead + duplicates,
            stored=len(events),
            dead=dead,
            duplicates=duplicates,
            unknown_fields=admission.unknown_fields,
            watermark_us=watermark_us,
            dead_by_reason=tuple(sorted(reasons.items())),
            days=len(np.unique(events.numbers["ts_end"] // DAY_US)) if len(events) else 0,
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


def _failed(error: Exception) -> Refusal:
    return Refusal(Reason.FAILED, f"{type(error).__name__}: {error}")


def _rollup_tables(measured: Measured, cube: Cube) -> dict[str, pa.Table]:
    tables: dict[str, pa.Table] = {}
    finest, *coarser = cube.resolutions
    delta = aggregate(measured, cube, finest)
    tables[rows_table(cube, finest)] = to_arrow(delta)
    for resolution in coarser:
        delta = coarsen(delta, resolution)
        tables[rows_table(cube, resolution)] = to_arrow(delta)
    return tables
