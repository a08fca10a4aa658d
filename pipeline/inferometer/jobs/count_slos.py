"""Count what objectives ask for: from the records of a chunk to one record of each target partition.

What a chunk yields is a pure function of its records, its intent and what came since its floor, so
it may be counted any number of times; whoever reads the counts tells repetitions by their offsets.
Nothing here knows of the store that the sink writes to.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.chunks import ChunkOutcome, Intent
from inferometer.core.door import DoorPolicy
from inferometer.core.resumption import StoredProgress, resume
from inferometer.core.slo.count_records import CountsRecord, encode_counts
from inferometer.core.slo.event_memory import EventMemory, MemoryPolicy
from inferometer.core.watermarks import WatermarkPolicy, WatermarkState
from inferometer.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from inferometer.alert_ports import CountsOutput, SourceLog
    from inferometer.core.chunks import Chunk, StreamPartition
    from inferometer.core.records import RecordColumns
    from inferometer.core.resumption import GroupPosition, Resumption
    from inferometer.core.slo.counting_plan import CountingPlan, TablesByTarget
    from inferometer.jobs.count_sources import CountSource
    from inferometer.ports import Lease

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_US_PER_MS = 1000
NOT_STORED = "-"
"""Stands in an intent for the versions that only the sink pins."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountPolicy:
    """How counting judges time."""

    lateness: timedelta = timedelta(seconds=30)
    """How far behind the newest event another may still be in time for its tick."""
    retention: timedelta = timedelta(days=14)
    future_tolerance: timedelta = timedelta(minutes=5)
    idle_step: timedelta = timedelta(seconds=2)
    """How often a partition with nothing to read says so."""
    memory: MemoryPolicy = field(default_factory=MemoryPolicy)

    def door(self, now_us: int) -> DoorPolicy:
        """Return how the door judges events at an instant."""
        return DoorPolicy(
            now_us=now_us,
            retention_us=self.retention // _MICROSECOND,
            future_tolerance_us=self.future_tolerance // _MICROSECOND,
        )


@dataclass(slots=True)
class _Partition:
    memory: EventMemory
    partition_count: int
    next_offset: int
    watermark: WatermarkState = field(default_factory=WatermarkState)
    told_us: int = 0


@dataclass(slots=True)
class _Counted:
    """What a chunk yields before it is published."""

    tables: TablesByTarget = field(default_factory=dict)
    hashes: list[np.ndarray] = field(default_factory=list)
    offsets: list[np.ndarray] = field(default_factory=list)
    newest_us: int = 0
    events: int = 0
    dead: int = 0
    duplicates: int = 0


class CountSlos:
    """The counter's job over the port CountsOutput; implements the port ChunkProcessor.

    `run` may be called from several threads, one partition at a time.
    """

    def __init__(
        self,
        *,
        plan: CountingPlan,
        source: CountSource,
        output: CountsOutput,
        log: SourceLog,
        policy: CountPolicy,
        clock: Callable[[], datetime],
    ) -> None:
        self._plan = plan
        self._source = source
        self._output = output
        self._log = log
        self._policy = policy
        self._clock = clock
        self._watermarks = WatermarkPolicy(bound_us=policy.lateness // _MICROSECOND)
        self._partitions: dict[StreamPartition, _Partition] = {}

    def assigned(
        self, source: StreamPartition, group: GroupPosition, partition_count: int
    ) -> Resumption:
        """Find where to go on, and read again what duplicates are held against."""
        resumption = resume(group, StoredProgress(None, None))
        memory = EventMemory(self._policy.memory)
        partition = _Partition(memory, partition_count, resumption.offset)
        self._partitions[source] = partition
        floor = self._floor_before(source, resumption)
        records = self._log.records(source, floor, resumption.offset - 1)
        if len(records):
            floor = memory.pin(records)
            found = self._counted(records, partition, floor, self._now_us(), only_ids=True)
            for hashes, offsets in zip(found.hashes, found.offsets, strict=True):
                memory.add(hashes, offsets, floor)
        return resumption

    def _floor_before(self, source: StreamPartition, resumption: Resumption) -> int:
        policy = self._policy.memory
        since_ms = self._now_us() // _US_PER_MS - policy.horizon_ms
        floor = self._log.offset_at(source, since_ms, before=resumption.offset)
        floor = max(floor, resumption.offset - policy.max_events, 0)
        if resumption.intent is not None:
            floor = min(floor, resumption.intent.dedupe_floor)
        return floor

    def revoked(self, source: StreamPartition) -> None:
        """Forget a partition that another worker has taken over."""
        self._partitions.pop(source, None)

    def plan(self, source: StreamPartition, records: RecordColumns) -> Intent:
        """Pin all that the outcome of these records depends on."""
        partition = self._partitions[source]
        return Intent(
            first_offset=int(records.offsets[0]),
            last_offset=int(records.offsets[-1]),
            decided_at_us=self._now_us(),
            dedupe_floor=partition.memory.pin(records),
            price_version=NOT_STORED,
            cubes_version=NOT_STORED,
            partition_count=partition.partition_count,
        )

    def run(self, chunk: Chunk, lease: Lease) -> ChunkOutcome:
        """Publish what a chunk adds.

        1. Judge, deduplicate, count: no effect yet.
        2. One record to each target partition, empty ones included. A crash after some of them: the
           chunk is run again under its intent, and readers drop the records that they have.
        The acknowledgement is the caller's, after this returns.
        Raises StoreError and LeaseError; nothing is remembered of a chunk that failed.
        """
        partition = self._partitions[chunk.source]
        intent = chunk.intent
        counted = self._counted(chunk.records, partition, intent.dedupe_floor, intent.decided_at_us)
        append_us = int(chunk.records.append_times_ms.max()) * _US_PER_MS
        watermark_us = 0
        if counted.newest_us:
            watermark_us = WatermarkState().observe(
                newest_event_us=counted.newest_us, append_us=append_us, policy=self._watermarks
            )
        lease.check()
        self._publish(chunk.source, counted, watermark_us, append_us, chunk.intent)
        for hashes, offsets in zip(counted.hashes, counted.offsets, strict=True):
            partition.memory.add(hashes, offsets, intent.dedupe_floor)
        partition.next_offset = intent.last_offset + 1
        partition.watermark.raise_to(watermark_us)
        return ChunkOutcome(
            records=len(chunk.records),
            events=counted.events + counted.dead + counted.duplicates,
            stored=counted.events,
            dead=counted.dead,
            duplicates=counted.duplicates,
            unknown_fields=0,
            watermark_us=watermark_us,
        )

    def _publish(
        self,
        source: StreamPartition,
        counted: _Counted,
        watermark_us: int,
        append_us: int,
        intent: Intent,
    ) -> None:
        records = [
            CountsRecord(
                source=source,
                first_offset=intent.first_offset,
                last_offset=intent.last_offset,
                watermark_us=watermark_us,
                partition_count=intent.partition_count,
                target=target,
                events=counted.events,
                dead=counted.dead,
                append_us=append_us,
                tables=tuple(counted.tables.get(target, ())),
            )
            for target in range(self._plan.targets)
        ]
        self._output.publish([(record.target, encode_counts(record)) for record in records])

    def idle(self, source: StreamPartition, broker_time_us: int) -> None:
        """Say that a partition is complete up to an instant of the broker's clock."""
        partition = self._partitions.get(source)
        if partition is None:
            return
        watermark_us = partition.watermark.idle(broker_us=broker_time_us, policy=self._watermarks)
        if watermark_us - partition.told_us < self._policy.idle_step // _MICROSECOND:
            return
        records = [
            CountsRecord(
                source=source,
                first_offset=partition.next_offset,
                last_offset=partition.next_offset - 1,
                watermark_us=watermark_us,
                partition_count=partition.partition_count,
                target=target,
            )
            for target in range(self._plan.targets)
        ]
        self._output.publish([(record.target, encode_counts(record)) for record in records])
        partition.told_us = watermark_us

    def _counted(
        self,
        records: RecordColumns,
        partition: _Partition,
        floor: int,
        decided_at_us: int,
        *,
        only_ids: bool = False,
    ) -> _Counted:
        """Count records; one that computation fails on is left out, alone."""
        counted = _Counted()
        door = self._policy.door(decided_at_us)
        spans = [(0, len(records))]
        while spans:
            start, stop = spans.pop()
            part = records if stop - start == len(records) else records.stretch(start, stop)
            try:
                self._add(counted, part, partition, floor, door, only_ids=only_ids)
            except (PipelineError, MemoryError):
                raise
            except Exception:
                if stop - start == 1:
                    counted.dead += 1
                    logger.exception(
                        "a record cannot be counted; please report it",
                        extra={"offset": int(part.offsets[0]), "reason": "internal_error"},
                    )
                    continue
                half = (start + stop) // 2
                # The later half waits below the earlier one.
                spans += [(half, stop), (start, half)]
        return counted

    def _add(
        self,
        counted: _Counted,
        records: RecordColumns,
        partition: _Partition,
        floor: int,
        door: DoorPolicy,
        *,
        only_ids: bool,
    ) -> None:
        rows = self._source.decode(records, door)
        identities = rows.identities
        repeated = _repeated(identities.hashes, counted, partition, floor)
        kept = np.flatnonzero(~repeated)
        is_first = np.ones(len(kept), dtype=np.bool_)
        if identities.subjects is not None:
            subjects = identities.subjects[kept]
            is_first = ~_repeated(subjects, counted, partition, floor)
            counted.hashes.append(subjects[is_first])
            counted.offsets.append(identities.offsets[kept][is_first])
        if not only_ids:
            tables, newest_us = rows.count(kept, is_first, self._plan)
            counted.newest_us = max(counted.newest_us, newest_us)
            for target, found in tables.items():
                counted.tables.setdefault(target, []).extend(found)
        counted.hashes.append(identities.hashes[kept])
        counted.offsets.append(identities.offsets[kept])
        counted.events += len(kept)
        counted.dead += identities.dead
        counted.duplicates += int(repeated.sum())

    def _now_us(self) -> int:
        return (self._clock() - _EPOCH) // _MICROSECOND


def _repeated(
    hashes: NDArray[np.uint64], counted: _Counted, partition: _Partition, floor: int
) -> NDArray[np.bool_]:
    """Return what has come since the floor, or in another part of the same chunk."""
    repeated = partition.memory.repeated(hashes, floor)
    for others in counted.hashes:
        repeated |= np.isin(hashes, others)
    return repeated
