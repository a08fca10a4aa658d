"""What surrounds a worker, before there is one."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime

from inferometer.errors import StoreError
from inferometer.kafka.settings import KafkaSettings
from inferometer.kafka.surroundings import SinkCounters
from inferometer.prometheus.readings import Readings
from inferometer.runtime.operation import COUNTERS, Operation


def operation() -> Operation:
    return Operation(
        kafka=KafkaSettings(bootstrap_servers="nowhere:1", group="g"),
        place="http://store:8123",
        metrics_host="127.0.0.1",
        metrics_port=0,
        clock=lambda: datetime(2026, 1, 1, tzinfo=UTC),
        monotonic=lambda: 1.0,
    )


def test_every_count_of_the_sink_is_read() -> None:
    # Dead letters are counted by their reasons instead.
    assert set(COUNTERS) == {field.name for field in fields(SinkCounters)} - {"dead"}


def test_without_a_worker_there_is_nothing_to_read() -> None:
    assert operation().readings() == Readings()


def test_without_a_port_nothing_is_opened() -> None:
    with operation() as found:
        assert found.port == 0


def test_a_probe_that_fails_makes_the_store_away_until_one_succeeds() -> None:
    found = operation()

    def refuse() -> None:
        raise StoreError("no answer", retryable=True)

    found._probe(refuse)
    assert not found.health.is_store_up
    found._probe(lambda: None)
    assert found.health.is_store_up


def test_token_windows_keep_their_last_value_while_the_store_is_away() -> None:
    found = operation()

    def refuse() -> dict[str, float]:
        raise StoreError("no answer", retryable=True)

    found._show_token_windows(lambda: {"requests": 0.4})
    found._show_token_windows(refuse)
    name = "inferometer_worker_token_window_used_ratio"
    assert found.observer.registry.get_sample_value(name, {"table": "requests"}) == 0.4
