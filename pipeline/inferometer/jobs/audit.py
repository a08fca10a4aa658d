"""Audit: proves from the outside that nothing is lost and nothing doubled, and says where not.

Three proofs, each of which reads the store only: offsets of the broker against the ledger and its
rows, the log against every roll-up, and the log against itself (an event_id has one row).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inferometer.core.audit_report import AuditReport, PartitionAccount
from inferometer.core.audit_spans import DAY_S, HOUR_S, Slice, kept_since
from inferometer.core.chunks import StreamPartition
from inferometer.core.conservation import Difference, Kind, Skipped, SkipReason
from inferometer.jobs.audit_partitions import audit_partition
from inferometer.jobs.audit_rollups import RollupAudit
from inferometer.jobs.partition_scope import PartitionScope
from inferometer.names import REQUESTS_TABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from inferometer.core.audit_spans import HourRows
    from inferometer.core.conservation import PartitionPosition, RepeatedEvent
    from inferometer.jobs.audit_rollups import RollupRepair
    from inferometer.ports import AuditStore, TopicView

EVENTS_A_PASS = 5_000_000
"""Event ids that are counted at once; more take several passes over the log."""
MAX_REPEATED_A_PASS = 1000
_LOG_DAYS_UNKNOWN = 36_500
_LOG_KINDS = (Kind.LOG_ROWS, Kind.LOG_REPEATED, Kind.RECORDS_LOST)
"""With which the log is no measure; of records without a ledger row, roll-ups may be all that is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """An audit of one store and, with a reader, of the topic that fills it."""

    store: AuditStore
    topic: str
    reader: TopicView | None
    now_s: int
    pause: Callable[[float], None]
    progress: Callable[[str], None]
    repair: RollupRepair | None = None

    def run(self, *, from_s: int | None = None, to_s: int | None = None) -> AuditReport:
        """Audit event time [from_s, to_s); by default all that the log still holds.

        1. Positions at the broker, before anything of the store: the store may then be further,
           never behind.
        2. Each partition: offsets against ledger, log and dead letters.
        3. Each roll-up table: the log against every measure, and its repair where one is asked for.
        4. Event ids.
        Raises StoreError and BrokerError.
        """
        positions = {} if self.reader is None else self.reader.positions()
        stream_id = None if self.reader is None else self.reader.stream_id()
        kept_days = self.store.kept_days()
        log_since_s = kept_since(self.now_s, kept_days.get(REQUESTS_TABLE, _LOG_DAYS_UNKNOWN))
        span = Slice(
            max(log_since_s, 0) if from_s is None else from_s,
            # Clocks differ, and so events may end in the future.
            self.now_s + DAY_S if to_s is None else to_s,
        )
        report = AuditReport(span)
        log_span = Slice(max(span.from_s, log_since_s, 0), span.to_s)
        self._partitions(report, log_span, positions, stream_id, kept_days)
        hours = sorted(
            self.store.log_hours(Slice(log_span.from_s // HOUR_S * HOUR_S, log_span.to_s)),
            key=lambda hour: hour.hour_s,
        )
        RollupAudit(
            store=self.store,
            report=report,
            span=span,
            now_s=self.now_s,
            kept_days=kept_days,
            is_live=lambda source: self._is_present(source, stream_id),
            pause=self.pause,
            progress=self.progress,
            repair=self._repair(report),
        ).run(hours)
        self._events(report, log_span, hours)
        return report

    def _repair(self, report: AuditReport) -> RollupRepair | None:
        """Return the repair, unless the log is no measure: it would take a loss over."""
        if self.repair is None or not any(report.counts[kind] for kind in _LOG_KINDS):
            return self.repair
        report.skipped.append(
            Skipped(
                reason=SkipReason.LOG_IN_DOUBT,
                table=REQUESTS_TABLE,
                from_s=report.span.from_s,
                to_s=report.span.to_s,
            )
        )
        return None

    def _is_present(self, source: StreamPartition, stream_id: str | None) -> bool:
        return stream_id is None or source.topic != self.topic or source.stream_id == stream_id

    def _partitions(
        self,
        report: AuditReport,
        span: Slice,
        positions: Mapping[int, PartitionPosition],
        stream_id: str | None,
        kept_days: Mapping[str, int],
    ) -> None:
        known = {StreamPartition(self.topic, partition, stream_id or "") for partition in positions}
        sources = sorted(
            known.union(self.store.sources(span)),
            key=lambda source: (source.topic, source.stream_id, source.partition),
        )
        ledgers = self.store.ledger_ends()
        for source in sources:
            self.progress(f"{source.topic}/{source.partition} of {source.stream_id}")
            scope = PartitionScope(
                store=self.store,
                reader=self.reader if source in known else None,
                source=source,
                position=positions[source.partition] if source in known else None,
                is_present=self._is_present(source, stream_id),
                span=span,
                now_s=self.now_s,
                kept_days=kept_days,
                report=report,
                account=PartitionAccount(source.topic, source.partition, source.stream_id),
            )
            end, oldest_s = ledgers.get(source, (None, None))
            audit_partition(scope, ledger_end=end, oldest_s=oldest_s)

    def _events(self, report: AuditReport, span: Slice, hours: Sequence[HourRows]) -> None:
        rows = sum(hour.rows for hour in hours)
        passes = max(1, -(-rows // EVENTS_A_PASS))
        for part in range(passes):
            self.progress(f"event ids: pass {part + 1} of {passes}")
            found = self.store.repeated_events(
                span, part=part, parts=passes, limit=MAX_REPEATED_A_PASS
            )
            report.add(*(_repeated(event) for event in found if len(set(event.places)) > 1))
        report.events_checked = rows


def _repeated(event: RepeatedEvent) -> Difference:
    places = ", ".join(f"{topic}/{partition}@{offset}" for topic, partition, offset in event.places)
    return Difference(
        kind=Kind.EVENT_REPEATED,
        expected="1 row",
        found=f"{len(event.places)} rows",
        table=REQUESTS_TABLE,
        event_id=event.event_id,
        detail=f"from {places}",
    )
