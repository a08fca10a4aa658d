"""What the audit of one partition works with: where to look, what it knows, where findings go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inferometer.core.audit_report import PartitionAccount
from inferometer.core.audit_spans import DAY_S, kept_since
from inferometer.core.conservation import MAX_OFFSETS, Difference, Kind, Skipped, SkipReason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inferometer.core.audit_report import AuditReport
    from inferometer.core.audit_spans import Slice
    from inferometer.core.chunks import StreamPartition
    from inferometer.core.conservation import PartitionPosition
    from inferometer.core.ledger_chain import OffsetRange
    from inferometer.core.records import RecordColumns
    from inferometer.ports import AuditStore, TopicView

_FOR_EVER_DAYS = 36_500


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionScope:
    """One partition of one incarnation of the topic."""

    store: AuditStore
    reader: TopicView | None
    source: StreamPartition
    position: PartitionPosition | None
    """Read before anything of the store was; None where the broker no longer has this incarnation."""
    is_present: bool
    """Whether the topic still is this incarnation, as far as anybody knows."""
    span: Slice
    now_s: int
    kept_days: Mapping[str, int]
    report: AuditReport
    account: PartitionAccount

    def is_held(self, offsets: OffsetRange) -> bool:
        """Say whether the broker still holds all of these offsets."""
        return (
            self.reader is not None
            and self.position is not None
            and offsets.first >= self.position.low
        )

    def records(self, offsets: OffsetRange) -> RecordColumns | None:
        """Return the broker's records of these offsets; None where it does not hold them all."""
        if self.reader is None or not self.is_held(offsets):
            return None
        return self.reader.records(self.source.partition, offsets.first, offsets.last)

    def held_offsets(self, offsets: OffsetRange, *, limit: int) -> tuple[int, list[int]] | None:
        """Return how many records the broker has of these offsets, and the first of them.

        None where it does not hold them all.
        """
        if self.reader is None or not self.is_held(offsets):
            return None
        return self.reader.held_offsets(
            self.source.partition, offsets.first, offsets.last, limit=limit
        )

    def days(self, table: str) -> int:
        """Return how many days a table keeps."""
        return self.kept_days.get(table, _FOR_EVER_DAYS)

    def expires_s(self, table: str) -> int:
        """Return the time before which rows of a table may be gone."""
        return self.now_s - self.days(table) * DAY_S

    def is_kept(self, table: str, at_s: int) -> bool:
        """Say whether a table holds every row of this time."""
        return at_s >= kept_since(self.now_s, self.days(table))

    def differ(
        self,
        kind: Kind,
        place: OffsetRange,
        *,
        expected: str,
        found: str,
        offsets: Sequence[int] = (),
    ) -> None:
        """Note that the account does not balance at some offsets."""
        self.report.add(
            Difference(
                kind=kind,
                expected=expected,
                found=found,
                topic=self.source.topic,
                partition=self.source.partition,
                stream_id=self.source.stream_id,
                first_offset=place.first,
                last_offset=place.last,
                offsets=tuple(offsets[:MAX_OFFSETS]),
            )
        )

    def skip(self, reason: SkipReason, offsets: OffsetRange) -> None:
        """Note that some offsets could not be checked."""
        self.report.skipped.append(
            Skipped(
                reason=reason,
                topic=self.source.topic,
                partition=self.source.partition,
                first_offset=offsets.first,
                last_offset=offsets.last,
            )
        )
