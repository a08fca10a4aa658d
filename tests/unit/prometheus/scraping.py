"""A worker's metrics on a clock that tests set, and their samples by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from inferometer.core.chunks import ChunkOutcome, StreamPartition
from inferometer.prometheus.readings import Readings
from inferometer.prometheus.worker_metrics import WorkerMetrics

START = datetime(2026, 1, 1, tzinfo=UTC)
SOURCE = StreamPartition("inference.requests", 3, "stream")


@dataclass
class Bench:
    """Metrics of a worker whose readings and clocks the test sets."""

    readings: Readings = field(default_factory=Readings)
    elapsed_s: float = 0.0

    def __post_init__(self) -> None:
        self.metrics = WorkerMetrics(
            version="1.2.3",
            readings=lambda: self.readings,
            clock=self.now,
            monotonic=self.monotonic,
        )

    def now(self) -> datetime:
        return START + timedelta(seconds=self.elapsed_s)

    def monotonic(self) -> float:
        return 1000.0 + self.elapsed_s

    def sample(self, name: str, **labels: str) -> float | None:
        return sample(self.metrics.registry, name, **labels)


def sample(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    """Return a sample as it is exposed; None where there is none."""
    text = generate_latest(registry).decode()
    for family in text_string_to_metric_families(text):
        for found in family.samples:
            if found.name == name and found.labels == labels:
                return found.value
    return None


def outcome(*, stored: int = 0, dead_by_reason: tuple[tuple[str, int], ...] = ()) -> ChunkOutcome:
    """Return an outcome with these counts."""
    dead = sum(count for _reason, count in dead_by_reason)
    return ChunkOutcome(
        records=stored + dead,
        events=stored + dead,
        stored=stored,
        dead=dead,
        duplicates=0,
        unknown_fields=0,
        watermark_us=0,
        dead_by_reason=dead_by_reason,
    )
