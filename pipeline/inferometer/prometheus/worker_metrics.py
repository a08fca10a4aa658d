"""The metrics of a worker: what the sink reports, and what is read off it at each scrape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from inferometer.prometheus.scraped import ScrapedReadings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from inferometer.core.chunks import ChunkOutcome, StreamPartition
    from inferometer.prometheus.readings import PartitionLag, Readings

STEP_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
PAUSE_BUCKETS_S = (0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 30, 60)

COMPUTE_STEP = "compute"
LOOKUP_STEP = "lookup"


class WorkerMetrics:
    """Every metric of one worker, in a registry of its own; implements the sink's observer.

    Methods may be called from any thread and never block.
    """

    def __init__(
        self,
        *,
        version: str,
        readings: Callable[[], Readings],
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self.registry = registry = CollectorRegistry()
        self._monotonic = monotonic
        self._away: set[StreamPartition] = set()
        self._rebalance_began_s: float | None = None
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        registry.register(ScrapedReadings(readings, clock))
        self._steps = self._histogram(
            "chunk_step_seconds",
            "Time of each step of a chunk: fetch_wait (until one can be cut), intent_commit, "
            "run (the whole call, compute, lookup and inserts in it), acknowledge.",
            STEP_BUCKETS_S,
            "step",
        )
        self._inserts = self._histogram(
            "insert_seconds", "Time of each insert, by table.", STEP_BUCKETS_S, "table"
        )
        self._insert_rows = self._counter(
            "insert_rows", "Rows of inserts that succeeded, by table.", "table"
        )
        self._insert_errors = self._counter(
            "insert_errors", "Inserts that failed, by table.", "table"
        )
        self._dead_letters = self._counter(
            "dead_letters", "Events stored as dead letters, by reason.", "reason"
        )
        self._folded = self._counter(
            "folded_events", "Events counted as __other__ in roll-ups, by dimension.", "dimension"
        )
        self._admitted = self._counter(
            "admitted_values",
            "Values that partitions have admitted to roll-ups, by dimension.",
            "dimension",
        )
        self._rebalances = self._counter("rebalances", "Assignments by the consumer group.")
        self._pauses = self._histogram(
            "rebalance_pause_seconds",
            "From giving partitions up until the new assignment is positioned.",
            PAUSE_BUCKETS_S,
        )
        self._lag_records = self._gauge(
            "lag_records",
            "Offsets that are not stored and acknowledged yet, by partition.",
            "partition",
        )
        self._lag_seconds = self._gauge(
            "lag_seconds",
            "Age of the oldest record that is not acknowledged yet, by partition.",
            "partition",
        )
        self._retention_used = self._gauge(
            "retention_used_ratio",
            "Lag as a share of what the topic keeps, by age or size, by partition; beyond 1 records are lost.",
            "partition",
        )
        self._lag_read_at = self._gauge(
            "lag_read_timestamp_seconds", "When the broker was last asked for the lag."
        )
        self._only_here = self._gauge(
            "only_in_memory_records",
            "Records that the broker has dropped and that only this worker holds.",
        )
        self._window_used = self._gauge(
            "token_window_used_ratio",
            "Tokens of the longest outage as a share of those that a table remembers, by table.",
            "table",
        )
        Gauge(
            "inferometer_build_info", "1, with the version.", ["version"], registry=registry
        ).labels(version).set(1)

    @property
    def is_store_away(self) -> bool:
        """Whether a partition waits before it tries the store again."""
        return bool(self._away)

    # What the sink reports

    def step_took(self, step: str, seconds: float) -> None:
        """Count the time of a step."""
        self._steps.labels(str(step)).observe(seconds)

    def chunk_stored(
        self, source: StreamPartition, outcome: ChunkOutcome, *, is_replay: bool
    ) -> None:
        """Count what has labels; everything else of an outcome is read at the scrape."""
        for counter, counts in (
            (self._dead_letters, outcome.dead_by_reason),
            (self._folded, outcome.folded),
            (self._admitted, outcome.admitted),
        ):
            for label, count in counts:
                counter.labels(label).inc(count)

    def store_away(self, source: StreamPartition, backoff_s: float) -> None:
        """Note that a partition waits for the store."""
        self._away.add(source)

    def store_back(self, source: StreamPartition) -> None:
        """Note that a partition waits no longer."""
        self._away.discard(source)

    def commit_fenced(self, source: StreamPartition) -> None:
        """Do nothing: the sink counts them."""

    def rebalance_began(self) -> None:
        """Note when the pause began; the first time counts, until it has ended."""
        if self._rebalance_began_s is None:
            self._rebalance_began_s = self._monotonic()

    def rebalance_ended(self, partitions: int) -> None:
        """Count the assignment, and the pause where one was under way."""
        self._rebalances.inc()
        began_s, self._rebalance_began_s = self._rebalance_began_s, None
        if began_s is not None:
            self._pauses.observe(self._monotonic() - began_s)

    def records_lost(self, source: StreamPartition, records: int) -> None:
        """Do nothing: the sink counts them."""

    # What others report

    def insert_took(self, table: str, seconds: float, rows: int) -> None:
        """Count an insert that succeeded."""
        self._inserts.labels(table).observe(seconds)
        self._insert_rows.labels(table).inc(rows)

    def insert_failed(self, table: str) -> None:
        """Count an insert that did not."""
        self._insert_errors.labels(table).inc()

    def show_lag(self, lags: Iterable[PartitionLag], *, only_here: int, read_at_s: float) -> None:
        """Show the lag of the assigned partitions, and of no other any more."""
        for gauge in (self._lag_records, self._lag_seconds, self._retention_used):
            gauge.clear()
        for lag in lags:
            partition = str(lag.partition)
            self._lag_records.labels(partition).set(lag.records)
            self._lag_seconds.labels(partition).set(lag.age_s)
            if lag.retention_used_ratio is not None:
                self._retention_used.labels(partition).set(lag.retention_used_ratio)
        self._only_here.set(only_here)
        self._lag_read_at.set(read_at_s)

    def show_token_windows(self, used_ratios: Mapping[str, float]) -> None:
        """Show how full the deduplication windows of these tables are, and of no other any more."""
        self._window_used.clear()
        for table, ratio in used_ratios.items():
            self._window_used.labels(table).set(ratio)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"inferometer_worker_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"inferometer_worker_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: Any, *labels: str) -> Histogram:
        return Histogram(
            f"inferometer_worker_{name}", text, labels, registry=self.registry, buckets=buckets
        )
