"""Watches how far the worker is behind its topic, and alarms before the topic drops what is unread."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from inferometer.core.retention import (
    LogSpan,
    RetentionLevel,
    RetentionPolicy,
    TopicRetention,
    UnreadPart,
    unread_part,
)
from inferometer.errors import BrokerError
from inferometer.prometheus.readings import PartitionLag

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable
    from datetime import datetime

    from inferometer.kafka.status import PartitionStatus, WorkerStatus

LAG_EVERY_S = 10.0
RETENTION_EVERY_S = 60.0
SAY_AGAIN_S = 300.0
READING_S = 5.0
"""How long one look may read the times of records; ages that are not known then are found next."""
MS_PER_S = 1000

logger = logging.getLogger(__name__)


class TopicLog(Protocol):
    """What the watch asks the broker; every call may raise BrokerError."""

    def spans(self, partitions: Iterable[int]) -> dict[int, LogSpan]:
        """Return which offsets are held."""

    def append_ms(self, partition: int, offset: int) -> int | None:
        """Return when the first record from an offset on was appended."""

    def retention(self) -> TopicRetention:
        """Return what the topic keeps."""


class LagDisplay(Protocol):
    """Where the lag is shown."""

    def show_lag(self, lags: Iterable[PartitionLag], *, only_here: int, read_at_s: float) -> None:
        """Show the lag of all assigned partitions."""


@dataclass(slots=True)
class _Said:
    level: RetentionLevel = RetentionLevel.FINE
    is_dropping: bool = False
    at_s: float = 0.0


class LogWatch:
    """Compares the worker's positions with the broker's logs at each `look`; for one thread."""

    def __init__(
        self,
        *,
        log: TopicLog,
        status: Callable[[], WorkerStatus],
        display: LagDisplay,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        policy: RetentionPolicy | None = None,
    ) -> None:
        self._log = log
        self._status = status
        self._display = display
        self._clock = clock
        self._monotonic = monotonic
        self._policy = policy or RetentionPolicy()
        self._retention: TopicRetention | None = None
        self._retention_due_s = 0.0
        self._is_retention_refused = False
        self._is_broker_away = False
        self._said: dict[int, _Said] = {}
        self._ages: dict[int, tuple[int, int | None]] = {}

    def look(self) -> None:
        """Read offsets and ages of the assigned partitions, show them, and say what is urgent."""
        status = self._status()
        numbers = [partition.partition for partition in status.partitions]
        self._forget_others(numbers)
        try:
            spans = self._log.spans(numbers) if numbers else {}
            # Read again: positions from before the spans would call read records dropped.
            status = _only(self._status(), spans)
            retention = self._known_retention() if numbers else None
            unread = self._unread(status, spans, retention)
        except BrokerError as error:
            if not self._is_broker_away:
                logger.warning("the lag is not known: %s", error, extra={"reason": "broker_away"})
            self._is_broker_away = True
            return
        self._is_broker_away = False
        self._display.show_lag(
            [
                PartitionLag(
                    partition=partition.partition,
                    records=part.records,
                    age_s=part.age_s,
                    retention_used_ratio=None if retention is None else part.used_ratio,
                )
                for partition, part in unread
            ],
            only_here=sum(part.only_here for _partition, part in unread),
            read_at_s=self._clock().timestamp(),
        )
        for partition, part in unread:
            self._judge(partition, part)

    def _unread(
        self, status: WorkerStatus, spans: dict[int, LogSpan], retention: TopicRetention | None
    ) -> list[tuple[PartitionStatus, UnreadPart]]:
        record_bytes = (
            status.fetched_bytes / status.fetched_records if status.fetched_records else 0.0
        )
        until_s = self._monotonic() + READING_S
        return [
            (
                partition,
                unread_part(
                    position=partition.position,
                    next_offset=partition.next_offset,
                    span=spans[partition.partition],
                    oldest_append_ms=self._oldest_ms(
                        partition, spans[partition.partition], until_s
                    ),
                    record_bytes=record_bytes,
                    retention=retention or TopicRetention(),
                    now_ms=int(self._clock().timestamp() * MS_PER_S),
                ),
            )
            for partition in status.partitions
        ]

    def _oldest_ms(self, partition: PartitionStatus, span: LogSpan, until_s: float) -> int | None:
        """Return when the oldest unread record was appended: the worker has it, or the broker."""
        if partition.oldest_append_ms is not None or span.end <= partition.position:
            return partition.oldest_append_ms
        offset = max(partition.position, span.start)
        known = self._ages.get(partition.partition)
        if known is not None and known[0] == offset:
            return known[1]
        if self._monotonic() > until_s:
            return None
        append_ms = self._log.append_ms(partition.partition, offset)
        self._ages[partition.partition] = (offset, append_ms)
        return append_ms

    def _known_retention(self) -> TopicRetention | None:
        now_s = self._monotonic()
        if now_s < self._retention_due_s:
            return self._retention
        self._retention_due_s = now_s + RETENTION_EVERY_S
        try:
            self._retention = self._log.retention()
            self._is_retention_refused = False
        except BrokerError as error:
            if not self._is_retention_refused:
                logger.warning(
                    "nobody watches whether the topic drops unread records: %s; grant the worker "
                    "DescribeConfigs on its topic", error, extra={"reason": "retention_unknown"},
                )  # fmt: skip
            self._is_retention_refused = True
        return self._retention

    def _judge(self, partition: PartitionStatus, part: UnreadPart) -> None:
        """Say what changed for the worse, and again now and then while it lasts."""
        said = self._said.setdefault(partition.partition, _Said())
        level, is_dropping = self._policy.level(part.used_ratio), bool(part.lost or part.only_here)
        now_s = self._monotonic()
        is_urgent = level > RetentionLevel.FINE or is_dropping
        is_worse = level > said.level or (is_dropping and not said.is_dropping)
        if is_worse or (is_urgent and now_s - said.at_s >= SAY_AGAIN_S):
            self._say(partition, part, level)
            said.at_s = now_s
        elif said.level > RetentionLevel.FINE and not is_urgent:
            logger.info(
                "the partition is far from its topic's retention again",
                extra=_fields(partition, part),
            )
        said.level, said.is_dropping = level, is_dropping

    def _say(self, partition: PartitionStatus, part: UnreadPart, level: RetentionLevel) -> None:
        fields = _fields(partition, part)
        if part.lost:
            logger.error(
                "%d records were dropped by the broker before they were read; they are lost. "
                "Raise the topic's retention, then find out what held the worker up",
                part.lost,
                extra=fields,
            )
        elif part.only_here:
            logger.error(
                "the broker has dropped %d records that only this worker's memory holds; do not "
                "stop it before the store takes them",
                part.only_here,
                extra=fields,
            )
        else:
            logger.log(
                logging.ERROR if level is RetentionLevel.CRITICAL else logging.WARNING,
                "the oldest unread record has used %.0f %% of what the topic keeps (%.0f s, %d "
                "records behind); start workers or raise the topic's retention, or records are lost",
                part.used_ratio * 100, part.age_s, part.records, extra=fields,
            )  # fmt: skip

    def _forget_others(self, numbers: list[int]) -> None:
        self._said = {number: self._said[number] for number in numbers if number in self._said}
        self._ages = {number: self._ages[number] for number in numbers if number in self._ages}


def _only(status: WorkerStatus, numbers: Container[int]) -> WorkerStatus:
    """Return the status of some partitions."""
    kept = tuple(part for part in status.partitions if part.partition in numbers)
    return replace(status, partitions=kept)


def _fields(partition: PartitionStatus, part: UnreadPart) -> dict[str, object]:
    return {
        "topic": partition.topic,
        "partition": partition.partition,
        "offset": partition.position,
        "lag_records": part.records,
        "lag_seconds": part.age_s,
        "retention_used_ratio": round(part.used_ratio, 4),
        "lost_records": part.lost,
        "only_in_memory_records": part.only_here,
        "reason": "retention",
    }
