"""Turns what is read off a worker at a scrape into metric families."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from prometheus_client import Metric

    from inferometer.prometheus.readings import Readings

US_PER_S = 1_000_000

PREFIX = "inferometer_worker_"

COUNTERS = (
    ("chunks", "chunks", "Chunks stored."),
    ("records", "records", "Kafka records of stored chunks."),
    ("events", "events", "Events of stored chunks: stored, dead letters and duplicates."),
    ("stored_events", "stored", "Events stored in the log and the roll-ups."),
    ("duplicate_events", "duplicates", "Events that were stored before, and dropped."),
    ("unknown_fields", "unknown_fields", "Fields of events that the contract does not know."),
    ("store_retries", "retries", "Calls that are tried again because the store was away."),
    ("replayed_chunks", "replays", "Chunks that another worker, or this one, had left open."),
    ("fenced_commits", "fenced", "Commits that the group refused; their chunks were dropped."),
    ("lost_records", "lost", "Records that the broker dropped before they were read."),
    ("fetched_bytes", "fetched_bytes", "Bytes fetched, as they lie in the log: compressed."),
)
"""Name of the metric after its prefix, field of `Readings`, help."""

GAUGES = (
    ("in_flight_bytes", "in_flight_bytes", "Bytes fetched and not stored yet."),
    (
        "in_flight_limit_bytes",
        "in_flight_limit_bytes",
        "Bytes in flight at which no fetch is made.",
    ),
    ("assigned_partitions", "partitions", "Partitions that the group has assigned to the worker."),
    ("group_member", "is_member", "1 while the worker holds an assignment of its group."),
    ("store_up", "is_store_up", "1 while the store answers."),
)
DELAY = (
    "watermark_delay_seconds",
    "How far the worker's watermark is behind the clock; absent while it has none.",
)


class ScrapedReadings(Collector):
    """A collector that asks for the readings at each scrape."""

    def __init__(self, readings: Callable[[], Readings], clock: Callable[[], datetime]) -> None:
        self._readings = readings
        self._clock = clock

    def describe(self) -> Iterator[Metric]:
        """Yield every family without samples, so that a scrape can ask for one by its name."""
        yield from _families()

    def collect(self) -> Iterator[Metric]:
        """Yield every family, each with one sample or none."""
        readings = self._readings()
        values: dict[str, float] = {
            name: float(getattr(readings, field)) for name, field, _text in (*COUNTERS, *GAUGES)
        }
        if readings.watermark_us > 0:
            values[DELAY[0]] = self._clock().timestamp() - readings.watermark_us / US_PER_S
        for family in _families():
            name = family.name.removeprefix(PREFIX)
            if name in values:
                family.add_metric([], values[name])
            yield family


def _families() -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
    for name, _field, text in COUNTERS:
        yield CounterMetricFamily(f"{PREFIX}{name}", text, labels=())
    for name, text in (*((name, text) for name, _field, text in GAUGES), DELAY):
        yield GaugeMetricFamily(f"{PREFIX}{name}", text, labels=())
