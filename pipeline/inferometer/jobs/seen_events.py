"""Which events a partition has brought before: filled from the log, confirmed in the log.

Invariants: what counts is pinned in the intent, so a replay decides alike; no event is dropped
unless its whole id is confirmed.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from inferometer.core.chunks import PartitionSpan
from inferometer.core.duplicates import Horizon, hash_texts, repeated_in_chunk

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    from inferometer.core.admission import Admission
    from inferometer.core.chunks import Intent, StreamPartition
    from inferometer.core.records import RecordColumns
    from inferometer.core.resumption import Resumption
    from inferometer.jobs.sink_policy import SinkPolicy
    from inferometer.ports import ChunkStore

MAX_SPANS_ELSEWHERE = 50
"""Spans travel in the intent, and a broker takes 4096 bytes of it."""
_MS_PER_S = 1000

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Remembered:
    """A chunk that was planned, or what was stored before the first one."""

    first_offset: int
    append_ms: int
    events: int
    """About as many as its records carry."""


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    """What other partitions hold, from where keys may have moved here."""

    spans: tuple[PartitionSpan, ...] = ()
    horizon: Horizon = field(default_factory=Horizon)
    until_append_ms: int = 0


class SeenEvents:
    """The deduplication memory of one assigned partition; `recall` first."""

    def __init__(
        self,
        store: ChunkStore,
        policy: SinkPolicy,
        source: StreamPartition,
        partition_count: int,
    ) -> None:
        self.partition_count = partition_count
        self._store = store
        self._policy = policy
        self._source = source
        self._horizon = Horizon()
        self._remembered: deque[_Remembered] = deque()
        self._elsewhere = _Elsewhere()

    def recall(self, resumption: Resumption, now: datetime) -> None:
        """Fill the memory from the log as of where the partition goes on. Raises StoreError."""
        next_offset, intent = resumption.offset, resumption.intent
        most = self._policy.dedupe_max_events
        floor = self._store.dedupe_floor(self._source, before=next_offset, max_events=most)
        # Offsets bound it as well, since the ledger is kept for a limited time.
        floor = max(floor, next_offset - most, 0)
        if intent is not None:
            floor = min(floor, intent.dedupe_floor)
        self._load(self._horizon, PartitionSpan(self._source.partition, floor, next_offset))
        # Their append times are not in the log: they count as appended now, and so stay longer.
        came_ms = int(now.timestamp() * _MS_PER_S)
        self._remembered.append(_Remembered(floor, came_ms, len(self._horizon)))
        self._elsewhere = self._recall_elsewhere(intent, now)

    def _recall_elsewhere(self, open_intent: Intent | None, now: datetime) -> _Elsewhere:
        spans = self._store.spans_before_resize(
            self._source,
            partition_count=self.partition_count,
            since=now - self._policy.dedupe_horizon,
        )
        if len(spans) > MAX_SPANS_ELSEWHERE:
            logger.warning(
                "%s has too many partitions to look for duplicates across them after their number "
                "has changed; `inferometer audit` finds those that are stored twice",
                self._source.topic,
                extra={"topic": self._source.topic, "reason": "too_many_partitions"},
            )
            spans = ()
        horizon = Horizon()
        for span in {*spans, *(open_intent.elsewhere if open_intent else ())}:
            self._load(horizon, span)
        until = now + self._policy.dedupe_horizon
        return _Elsewhere(spans, horizon, int(until.timestamp() * _MS_PER_S))

    def _load(self, horizon: Horizon, span: PartitionSpan) -> None:
        if span.before <= span.floor:
            return
        stored = self._store.recent_event_ids(
            source=replace(self._source, partition=span.partition),
            floor=span.floor,
            before=span.before,
        )
        for part in stored.chunks:
            horizon.add(hash_texts(part), span.before - 1)

    def pin(self, records: RecordColumns) -> tuple[int, tuple[PartitionSpan, ...]]:
        """Return what counts against duplicates of a chunk: the floor, and spans elsewhere."""
        first_offset, append_ms = int(records.offsets[0]), int(records.append_times_ms[0])
        is_resizing = append_ms <= self._elsewhere.until_append_ms
        chunk = _Remembered(first_offset, append_ms, int(records.event_counts().sum()))
        return self._floor(chunk), self._elsewhere.spans if is_resizing else ()

    def _floor(self, chunk: _Remembered) -> int:
        """Remember a chunk, forget what is too old or too much, return what stays."""
        first_offset, append_ms = chunk.first_offset, chunk.append_ms
        oldest_ms = append_ms - self._policy.dedupe_horizon // timedelta(milliseconds=1)
        oldest_offset = first_offset - self._policy.dedupe_max_events
        remembered = self._remembered
        held = sum(one.events for one in remembered)
        remembered.append(chunk)
        while len(remembered) > 1 and (
            remembered[1].append_ms <= oldest_ms
            or remembered[1].first_offset <= oldest_offset
            or held - remembered[0].events >= self._policy.dedupe_max_events
        ):
            held -= remembered.popleft().events
        return max(0, remembered[0].first_offset, oldest_offset)

    def without_duplicates(
        self, admission: Admission, intent: Intent
    ) -> tuple[NDArray[np.uint64], NDArray[np.int64], int]:
        """Return the hash of each row's event_id, the rows that stay, and how many did not.

        Raises StoreError.
        """
        accepted = np.flatnonzero(admission.accepted)
        ids = admission.rows.texts("event_id", accepted)
        hashes = np.zeros(len(admission.accepted), dtype=np.uint64)
        hashes[accepted] = hash_texts(ids)
        repeated = repeated_in_chunk(hashes[accepted], ids)
        here = PartitionSpan(self._source.partition, intent.dedupe_floor, intent.first_offset)
        self._confirm(ids, repeated, self._horizon.seen(hashes[accepted]), here)
        # Sent again after any pause: the whole log counts, not only the horizon.
        resent = admission.rows.number("resent")[accepted] == 1
        self._confirm(ids, repeated, resent, replace(here, floor=0))
        if intent.elsewhere:
            moved = self._elsewhere.horizon.seen(hashes[accepted])
            for span in intent.elsewhere:
                self._confirm(ids, repeated, moved, span)
        return hashes, accepted[~repeated], int(repeated.sum())

    def _confirm(
        self,
        ids: pa.StringArray,
        repeated: NDArray[np.bool_],
        candidates: NDArray[np.bool_],
        span: PartitionSpan,
    ) -> None:
        """Mark those candidates as repeated whose whole id the log holds in a span."""
        places = np.flatnonzero(candidates & ~repeated)
        if not len(places):
            return
        texts = ids.take(pa.array(places)).to_pylist()
        known = self._store.find_events(
            source=replace(self._source, partition=span.partition),
            event_ids=texts,
            floor=span.floor,
            before=span.before,
        )
        repeated[places] = [text in known for text in texts]

    def add(self, hashes: NDArray[np.uint64], intent: Intent) -> None:
        """Remember the events of a chunk that is stored."""
        self._horizon.evict(intent.dedupe_floor)
        self._horizon.add(hashes, intent.last_offset)
