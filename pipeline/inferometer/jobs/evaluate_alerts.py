"""Evaluate alerts: from records of the counts topic to transitions and notices.

It is an idempotent reducer: what comes of a tick depends on the counts alone, ids follow from event
time, and whatever is read or said twice carries the ids of the first time. So a crash anywhere costs
a repetition, which readers drop, and never a loss.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inferometer.core.alerts.history import RecordKind
from inferometer.core.chunks import ChunkOutcome, Intent
from inferometer.core.resumption import Resumption
from inferometer.core.slo.board_snapshots import Position, restored, to_snapshot, to_told
from inferometer.core.slo.count_records import decode_counts
from inferometer.core.slo.reducer import Verdict
from inferometer.errors import DecodeError, LeaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from inferometer.alert_ports import AlertOutput, SnapshotStore
    from inferometer.core.alerts.alert_state import AlertState
    from inferometer.core.alerts.engine import Alerts, Outcome
    from inferometer.core.alerts.mute_book import MuteBook
    from inferometer.core.alerts.routing import Intervals
    from inferometer.core.chunks import Chunk, StreamPartition
    from inferometer.core.records import RecordColumns
    from inferometer.core.resumption import GroupPosition
    from inferometer.core.slo.board import Board, Lane
    from inferometer.core.slo.count_records import CountsRecord
    from inferometer.ports import Lease

NOT_STORED = "-"
BEGIN_OR_END = frozenset({RecordKind.FIRING, RecordKind.REOPENED, RecordKind.RESOLVED})
_US = 1_000_000

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationPolicy:
    """How often evaluation keeps its state."""

    snapshot_every_s: float = 60.0
    snapshot_share: float = 0.05
    """Of the time that snapshots may take: large ones are taken less often."""


@dataclass(slots=True)
class _Partition:
    number: int
    board: Board
    lock: threading.Lock = field(default_factory=threading.Lock)
    outbox: list[Outcome] = field(default_factory=list)
    """What has come of ticks and is not yet told."""
    saved_at: float = float("-inf")
    save_took_s: float = 0.0
    has_told: bool = False
    """Whether something was told since the last snapshot."""
    lease: Lease | None = None
    """Of the last chunk: no other is given while there is none."""


class EvaluateAlerts:
    """The evaluator's job; implements the port ChunkProcessor over the counts topic."""

    def __init__(
        self,
        *,
        topics: tuple[str, ...],
        lanes: Callable[[int, int], Mapping[str, Lane]],
        new_alerts: Callable[[AlertState | None], Alerts],
        output: AlertOutput,
        snapshots: SnapshotStore,
        mutes: Callable[[], MuteBook],
        intervals: Intervals,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        gauges: Callable[[], Mapping[str, float]] = dict,
        policy: EvaluationPolicy | None = None,
    ) -> None:
        """Evaluate the lanes of (partition, partition count); source topics name the counted ones.

        `gauges` tells what was last read of the pipeline itself, by name; it must not block.
        """
        self._topics = topics
        self._lanes = lanes
        self._new_alerts = new_alerts
        self._output = output
        self._snapshots = snapshots
        self._mutes = mutes
        self._intervals = intervals
        self._clock = clock
        self._monotonic = monotonic
        self._gauges = gauges
        self._policy = policy or EvaluationPolicy()
        self._partitions: dict[StreamPartition, _Partition] = {}

    def assigned(
        self, source: StreamPartition, group: GroupPosition, partition_count: int
    ) -> Resumption:
        """Restore the last snapshot and go on where it was taken, before anything is told."""
        found = restored(
            self._snapshots.latest(source.partition),
            topics=self._topics,
            lanes=self._lanes(source.partition, partition_count),
            new_alerts=self._new_alerts,
        )
        offset = group.earliest
        # Offsets of a counts topic that was made anew mean other records.
        if found.position is not None and found.position.stream_id == source.stream_id:
            offset = found.position.next_offset
        for name in found.board.left_aside:
            logger.warning(
                "%s is counted differently now, so it begins without history",
                name, extra={"slo": name, "reason": "definition_changed"},
            )  # fmt: skip
        self._partitions[source] = _Partition(
            source.partition, found.board, outbox=list(found.untold), saved_at=self._monotonic()
        )
        lost = max(0, group.earliest - offset)
        return Resumption(offset + lost, lost_records=lost)

    def revoked(self, source: StreamPartition) -> None:
        """Forget a partition that another evaluator has taken over."""
        self._partitions.pop(source, None)

    def plan(self, source: StreamPartition, records: RecordColumns) -> Intent:
        """Name the records; nothing else decides what comes of them."""
        del source
        return Intent(
            first_offset=int(records.offsets[0]),
            last_offset=int(records.offsets[-1]),
            decided_at_us=int(self._clock().timestamp() * _US),
            dedupe_floor=0,
            price_version=NOT_STORED,
            cubes_version=NOT_STORED,
        )

    def run(self, chunk: Chunk, lease: Lease) -> ChunkOutcome:
        """Take counts in, evaluate the ticks that they complete, tell what came of them.

        1. What an earlier try has found and could not tell is told first.
        2. Counts are taken in; what was seen before is dropped.
        3. Each tick that is complete is evaluated. A crash here: the last snapshot and the counts
           after it say the same again.
        4. Notices are kept with their incidents, then they and transitions are told. A crash after
           it: they are told again, under their ids, and have an end whatever is declared then.
        5. The snapshot, now and then, and soon after anything was told, for who asks how it stands.
        Raises StoreError and LeaseError; another call goes on where this one ended.
        """
        partition = self._partitions[chunk.source]
        with partition.lock:
            partition.lease = lease
            self._tell(partition, lease)
            verdicts = self._take_in(partition, chunk, lease)
            self._watch(partition)
            self._tell(partition, lease)
            self._save_now_and_then(partition, chunk, lease)
            watermark_us = partition.board.reducer.watermark_us
        counted = sum(verdict is Verdict.COUNTED for verdict in verdicts)
        return ChunkOutcome(
            records=len(verdicts),
            events=len(verdicts),
            stored=counted,
            dead=len(chunk.records) - len(verdicts),
            duplicates=sum(verdict is Verdict.DUPLICATE for verdict in verdicts),
            unknown_fields=0,
            watermark_us=watermark_us,
        )

    def _take_in(self, partition: _Partition, chunk: Chunk, lease: Lease) -> list[Verdict]:
        """Take records in, one after another, each with the ticks that it completes.

        So what a tick has seen depends on the order of the log alone, not on how much of it was
        fetched at once: late counts are late again when they are read again.
        """
        now_s = int(self._clock().timestamp())
        mutes = self._mutes()
        verdicts: list[Verdict] = []
        for row in range(len(chunk.records)):
            record = _readable(chunk, row)
            if record is None:
                continue
            verdicts.append(partition.board.take(record))
            if verdicts[-1] is Verdict.OVERLAP:
                _note_overlap(record)
            for outcome in partition.board.take_ticks(
                now_s=now_s, mutes=mutes, intervals=self._intervals
            ):
                if outcome.notices or outcome.transitions:
                    partition.outbox.append(outcome)
                    self._tell(partition, lease)
        return verdicts

    def _tell(self, partition: _Partition, lease: Lease | None) -> None:
        if any(map(_has_end, partition.outbox)):
            if lease is not None:
                lease.check()
            # Before it is told: whoever goes on may have other rules, or come too late to find it.
            told = to_told(partition.board, partition.outbox)
            self._snapshots.save_told(partition.number, told)
        while partition.outbox:
            if lease is not None:
                lease.check()
            outcome = partition.outbox[0]
            self._output.publish(outcome.notices, outcome.transitions)
            partition.outbox.pop(0)
            partition.has_told = True

    def _save_now_and_then(self, partition: _Partition, chunk: Chunk, lease: Lease) -> None:
        policy = self._policy
        now = self._monotonic()
        pause_s = partition.save_took_s / policy.snapshot_share
        if not partition.has_told:
            pause_s = max(pause_s, policy.snapshot_every_s)
        if now - partition.saved_at < pause_s:
            return
        lease.check()
        position = Position(chunk.source.stream_id, chunk.intent.last_offset + 1)
        self._snapshots.save(partition.number, to_snapshot(partition.board, position))
        partition.saved_at = self._monotonic()
        partition.save_took_s = partition.saved_at - now
        partition.has_told = False

    def _watch(self, partition: _Partition) -> None:
        outcome = partition.board.watch(
            now_s=int(self._clock().timestamp()),
            monotonic_s=self._monotonic(),
            gauges=self._gauges(),
            mutes=self._mutes(),
            intervals=self._intervals,
        )
        if outcome is not None and (outcome.notices or outcome.transitions):
            partition.outbox.append(outcome)

    def idle(self, source: StreamPartition, broker_time_us: int) -> None:
        """Hear that nobody counts any more: event time stands still, the clock does not."""
        del broker_time_us
        partition = self._partitions.get(source)
        if partition is None:
            return
        with partition.lock:
            self._watch(partition)
            # Without the right to write it is told later, or by whoever has it.
            with contextlib.suppress(LeaseError):
                self._tell(partition, partition.lease)

    def boards(self) -> dict[int, tuple[Board, threading.Lock]]:
        """Return the boards by partition; hold a board's lock while looking at it."""
        held = tuple(self._partitions.items())
        return {source.partition: (one.board, one.lock) for source, one in held}


def _has_end(outcome: Outcome) -> bool:
    """Return whether somebody, or history, waits for the end of what is told."""
    return bool(outcome.notices) or any(one.kind in BEGIN_OR_END for one in outcome.transitions)


def _readable(chunk: Chunk, row: int) -> CountsRecord | None:
    try:
        return decode_counts(chunk.records.value(row))
    except DecodeError as error:
        logger.error(  # noqa: TRY400 - the record is to blame, its traceback tells nothing
            "a record of the counts topic is left out: %s",
            error, extra={"offset": int(chunk.records.offsets[row]), "reason": "bad_counts"},
        )  # fmt: skip
        return None


def _note_overlap(record: CountsRecord) -> None:
    logger.error(
        "counts of %s/%d, offsets %d to %d, overlap what is counted and are left out; were the "
        "offsets of the counter's group set by hand?",
        record.source.topic,
        record.source.partition,
        record.first_offset,
        record.last_offset,
        extra={"reason": "counts_overlap"},
    )
