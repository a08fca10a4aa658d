"""A client's counts, as Prometheus reads them."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry

from inferometer.sdk.prometheus import COUNTERS, DROPS, GAUGES, ClientCollector, register
from inferometer.sdk.stats import ClientStats, DropReason

if TYPE_CHECKING:
    from collections.abc import Iterator

NOTHING = ClientStats(
    emitted=0,
    delivered=0,
    in_flight=0,
    failed=0,
    dropped_buffer_full=0,
    dropped_too_large=0,
    dropped_closed=0,
    invalid=0,
)


def registered(stats: ClientStats) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(ClientCollector(lambda: stats))
    return registry


def test_every_count_of_a_client_is_shown() -> None:
    shown = {field for _name, field, _text in (*COUNTERS, *GAUGES)} | set(DROPS.values())
    assert shown == {field.name for field in fields(ClientStats)}


def test_every_reason_of_a_drop_is_shown() -> None:
    # An invalid event was never the client's to lose.
    assert set(DROPS) == {reason.value for reason in DropReason} - {DropReason.INVALID.value}


def test_counts_are_read_at_the_scrape() -> None:
    numbers: dict[str, Any] = {
        field.name: place for place, field in enumerate(fields(ClientStats), start=1)
    }
    registry = registered(replace(NOTHING, **numbers))
    for name, field, _text in COUNTERS:
        assert registry.get_sample_value(f"inferometer_producer_{name}_total") == numbers[field]
    for name, field, _text in GAUGES:
        assert registry.get_sample_value(f"inferometer_producer_{name}") == numbers[field]
    for reason, field in DROPS.items():
        found = registry.get_sample_value(
            "inferometer_producer_dropped_events_total", {"reason": reason}
        )
        assert found == numbers[field]


class Counting:
    """Stands for a client, whose only part here is its counts."""

    def __init__(self) -> None:
        self._numbers: Iterator[int] = iter(range(100))

    def stats(self) -> ClientStats:
        return replace(NOTHING, delivered=next(self._numbers))


def test_a_registered_client_is_asked_each_time() -> None:
    registry = CollectorRegistry()
    client: Any = Counting()
    collector = register(client, registry)
    name = "inferometer_producer_delivered_events_total"
    assert [registry.get_sample_value(name) for _ in range(2)] == [0, 1]
    registry.unregister(collector)
    assert registry.get_sample_value(name) is None
