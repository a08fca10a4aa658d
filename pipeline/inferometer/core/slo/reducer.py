"""The idempotent reducer of counts: what has been seen, up to when all is complete, what is due.

Invariants: a chunk counts once however often its record comes, and in whatever order partitions
come; the watermark is the least over all partitions of all source topics, never falls, and stands
until every partition has spoken; what is released for a tick ended at or before it, so that no
evaluation sees the future; what comes later than its tick is still released, with the next one.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

import msgspec
import numpy as np

from inferometer.core.slo.count_records import WrittenTable, decoded_tables, encoded_tables
from inferometer.core.slo.event_view import CELL_S
from inferometer.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from inferometer.core.slo.count_records import CountsRecord
    from inferometer.core.slo.counting import CountTable

SNAPSHOT_FORMAT = 1
TICK_S = 10
_US = 1_000_000
LONGEST_START_S = 3 * 86_400
"""How far before the first watermark evaluation begins at most."""


class Verdict(enum.StrEnum):
    """What became of a record."""

    COUNTED = "counted"
    SIGN_OF_LIFE = "sign_of_life"
    """It only moved the watermark, or not even that."""
    DUPLICATE = "duplicate"
    """Its offsets have been counted."""
    OVERLAP = "overlap"
    """Only a part of its offsets has been counted; it is left out, since it cannot be divided."""
    OLD_STREAM = "old_stream"
    """Of a topic that has been made anew since."""


@dataclass(frozen=True, slots=True)
class SourceProgress:
    """How far one source partition has been counted."""

    stream_id: str
    next_offset: int
    watermark_us: int


@dataclass(slots=True)
class ReducerCounters:
    """What has been taken so far."""

    records: int = 0
    duplicates: int = 0
    overlaps: int = 0
    events: int = 0
    late: int = 0
    """Requests that came after the tick that they belong to."""


class _Source(msgspec.Struct, array_like=True):
    topic: str
    partition: int
    stream_id: str
    next_offset: int
    watermark_us: int


class _Snapshot(msgspec.Struct, array_like=True):
    format: int
    sources: list[_Source]
    partition_counts: dict[str, int]
    retired: list[str]
    watermark_us: int
    last_tick_s: int | None
    waiting: list[WrittenTable]


@dataclass(slots=True, kw_only=True)
class CountReducer:
    """The reducer of one target partition."""

    topics: tuple[str, ...]
    """Source topics that must have spoken before anything is evaluated."""
    sources: dict[tuple[str, int], SourceProgress] = field(default_factory=dict)
    counters: ReducerCounters = field(default_factory=ReducerCounters)
    last_tick_s: int | None = None
    """The latest tick that was released."""
    _partition_counts: dict[str, int] = field(default_factory=dict)
    _retired: set[str] = field(default_factory=set)
    _watermark_us: int = 0
    _waiting: list[CountTable] = field(default_factory=list)

    def take(self, record: CountsRecord) -> Verdict:
        """Take a record in; its counts wait until their tick is released."""
        self.counters.records += 1
        if not self._is_of_this_stream(record):
            return Verdict.OLD_STREAM
        key = (record.source.topic, record.source.partition)
        known = self.sources.get(key)
        next_offset = 0 if known is None else known.next_offset
        if record.is_sign_of_life:
            # It vouches for what came before it, which must have come.
            if known is None or next_offset >= record.first_offset:
                self._advance(record, max(next_offset, record.first_offset))
            return Verdict.SIGN_OF_LIFE
        if record.last_offset < next_offset:
            self.counters.duplicates += 1
            return Verdict.DUPLICATE
        if record.first_offset < next_offset:
            self.counters.overlaps += 1
            return Verdict.OVERLAP
        self._advance(record, record.last_offset + 1)
        self._keep(record.tables)
        self.counters.events += record.events
        return Verdict.COUNTED

    def _is_of_this_stream(self, record: CountsRecord) -> bool:
        stream_id, topic = record.source.stream_id, record.source.topic
        if stream_id in self._retired:
            return False
        mine = [key for key in self.sources if key[0] == topic]
        others = [key for key in mine if self.sources[key].stream_id != stream_id]
        for key in others:
            self._retired.add(self.sources.pop(key).stream_id)
        if others:
            self._partition_counts.pop(topic, None)
        return True

    def _advance(self, record: CountsRecord, next_offset: int) -> None:
        source = record.source
        key = (source.topic, source.partition)
        before = self.sources[key].watermark_us if key in self.sources else 0
        self.sources[key] = SourceProgress(
            source.stream_id, next_offset, max(before, record.watermark_us)
        )
        count = self._partition_counts.get(source.topic, 0)
        self._partition_counts[source.topic] = max(count, record.partition_count)
        self._watermark_us = max(self._watermark_us, self._slowest_us())

    def _slowest_us(self) -> int:
        for topic in self.topics:
            expected = self._partition_counts.get(topic, 0)
            if not expected or sum(key[0] == topic for key in self.sources) < expected:
                return 0
        return min(progress.watermark_us for progress in self.sources.values())

    def _keep(self, tables: Sequence[CountTable]) -> None:
        for table in tables:
            if len(table) == 0:
                continue
            if self.last_tick_s is not None:
                late = table.cells_s + CELL_S <= self.last_tick_s
                if late.any() and "total" in table.columns:
                    self.counters.late += int(table.columns["total"][late].sum())
            self._waiting.append(table)

    @property
    def watermark_us(self) -> int:
        """Event time up to which every source is complete but for late events."""
        return self._watermark_us

    def due(self) -> Iterator[int]:
        """Yield the ticks that the watermark has reached, in order; `release` each."""
        while self._watermark_us:
            newest_s = self._watermark_us // _US // TICK_S * TICK_S
            if self.last_tick_s is None:
                self.last_tick_s = self._before_first_tick(newest_s)
            if self.last_tick_s >= newest_s:
                return
            tick_s = self.last_tick_s + TICK_S
            yield tick_s
            self.last_tick_s = max(self.last_tick_s, tick_s)

    def _before_first_tick(self, newest_s: int) -> int:
        firsts = [int(table.cells_s.min()) for table in self._waiting]
        earliest_s = min([newest_s - TICK_S, *firsts])
        return max(earliest_s, newest_s - LONGEST_START_S)

    def release(self, tick_s: int) -> list[CountTable]:
        """Return all that waits and ended at or before a tick."""
        self.last_tick_s = tick_s
        released: list[CountTable] = []
        kept: list[CountTable] = []
        for table in self._waiting:
            is_due = table.cells_s + CELL_S <= tick_s
            if is_due.all():
                released.append(table)
            elif is_due.any():
                released.append(part_of(table, is_due))
                kept.append(part_of(table, ~is_due))
            else:
                kept.append(table)
        self._waiting = kept
        return released

    def to_snapshot(self) -> bytes:
        """Return everything but the counters, for `from_snapshot`."""
        return msgspec.msgpack.encode(
            _Snapshot(
                SNAPSHOT_FORMAT,
                [
                    _Source(*key, progress.stream_id, progress.next_offset, progress.watermark_us)
                    for key, progress in sorted(self.sources.items())
                ],
                self._partition_counts,
                sorted(self._retired),
                self._watermark_us,
                self.last_tick_s,
                encoded_tables(self._waiting),
            )
        )

    @classmethod
    def from_snapshot(cls, data: bytes, *, topics: tuple[str, ...]) -> Self:
        """Read `to_snapshot`. Raises StateError for what another version wrote."""
        try:
            found = msgspec.msgpack.decode(data, type=_Snapshot)
            waiting = list(decoded_tables(found.waiting))
        except (msgspec.DecodeError, ValueError) as error:
            raise StateError(f"the snapshot of the counts cannot be read: {error}") from error
        if found.format != SNAPSHOT_FORMAT:
            raise StateError(
                f"the snapshot of the counts has format {found.format}, this version reads "
                f"{SNAPSHOT_FORMAT}; start the version that wrote it, or delete the state topic"
            )
        return cls(
            topics=topics,
            sources={
                (s.topic, s.partition): SourceProgress(s.stream_id, s.next_offset, s.watermark_us)
                for s in found.sources
            },
            last_tick_s=found.last_tick_s,
            _partition_counts=found.partition_counts,
            _retired=set(found.retired),
            _watermark_us=found.watermark_us,
            _waiting=waiting,
        )


def part_of(table: CountTable, chosen: NDArray[np.bool_]) -> CountTable:
    """Return some rows of a table; its groups stay as they are numbered."""
    places = np.cumsum(chosen) - 1
    bins = {}
    for name, sketch in table.bins.items():
        mine = chosen[sketch.row]
        bins[name] = replace(
            sketch,
            row=places[sketch.row[mine]].astype(np.int32),
            bins=sketch.bins[mine],
            counts=sketch.counts[mine],
        )
    return replace(
        table,
        group=table.group[chosen],
        cells_s=table.cells_s[chosen],
        columns={name: column[chosen] for name, column in table.columns.items()},
        bins=bins,
        drawn=None if table.drawn is None else table.drawn.of_rows(chosen),
    )
