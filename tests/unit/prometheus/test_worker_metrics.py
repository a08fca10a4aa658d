"""What a worker shows to Prometheus."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from typing import Any

import pytest
from prometheus_client import Metric

from inferometer.kafka.observer import SinkObserver, Step
from inferometer.prometheus.readings import PartitionLag, Readings
from inferometer.prometheus.scraped import COUNTERS, GAUGES
from tests.unit.prometheus.scraping import SOURCE, START, Bench, outcome

PREFIX = "inferometer_worker_"


def families(bench: Bench) -> list[Metric]:
    return [
        family
        for family in bench.metrics.registry.collect()
        if family.name.startswith("inferometer_")
    ]


def lag(partition: int, *, retention_used_ratio: float | None = 0.25) -> PartitionLag:
    return PartitionLag(
        partition=partition,
        records=10 * partition,
        age_s=partition / 2,
        retention_used_ratio=retention_used_ratio,
    )


def test_it_is_an_observer_of_the_sink() -> None:
    observer: SinkObserver = Bench().metrics
    observer.commit_fenced(SOURCE)
    observer.records_lost(SOURCE, 3)


def test_every_metric_has_a_prefix_a_help_and_a_base_unit() -> None:
    for family in families(Bench()):
        assert re.fullmatch(r"inferometer_(worker_\w+|build_info)", family.name)
        assert family.documentation
        assert not re.search(r"_(ms|us|mb|kb|percent|millis\w*)$", family.name)
        if family.type == "histogram":
            assert family.name.endswith("_seconds")


def test_every_reading_is_a_metric() -> None:
    shown = {field for _name, field, _text in (*COUNTERS, *GAUGES)} | {"watermark_us"}
    assert shown == {field.name for field in fields(Readings)}


@pytest.mark.parametrize(("name", "field"), [(name, field) for name, field, _text in COUNTERS])
def test_a_count_is_read_at_the_scrape(name: str, field: str) -> None:
    bench = Bench()
    assert bench.sample(f"{PREFIX}{name}_total") == 0
    changed: dict[str, Any] = {field: 17}
    bench.readings = Readings(**changed)
    assert bench.sample(f"{PREFIX}{name}_total") == 17


def test_a_condition_is_one_or_zero() -> None:
    bench = Bench(Readings(is_member=True))
    assert bench.sample(f"{PREFIX}group_member") == 1
    assert bench.sample(f"{PREFIX}store_up") == 0


def test_the_delay_of_the_watermark_follows_the_clock() -> None:
    bench = Bench(Readings(watermark_us=int(START.timestamp()) * 1_000_000))
    bench.elapsed_s = 12.5
    assert bench.sample(f"{PREFIX}watermark_delay_seconds") == 12.5


def test_without_a_watermark_there_is_no_delay() -> None:
    assert Bench().sample(f"{PREFIX}watermark_delay_seconds") is None


@pytest.mark.parametrize("step", Step)
def test_the_time_of_a_step_is_shown_by_its_name(step: Step) -> None:
    bench = Bench()
    bench.metrics.step_took(step, 0.3)
    bench.metrics.step_took(step, 0.2)
    assert bench.sample(f"{PREFIX}chunk_step_seconds_count", step=step.value) == 2
    assert bench.sample(f"{PREFIX}chunk_step_seconds_sum", step=step.value) == 0.5


def test_dead_letters_are_counted_by_reason() -> None:
    bench = Bench()
    dead = outcome(dead_by_reason=(("bad_json", 3), ("too_old", 2)))
    bench.metrics.chunk_stored(SOURCE, dead, is_replay=False)
    bench.metrics.chunk_stored(SOURCE, dead, is_replay=True)
    assert bench.sample(f"{PREFIX}dead_letters_total", reason="bad_json") == 6
    assert bench.sample(f"{PREFIX}dead_letters_total", reason="too_old") == 4


def test_folded_events_and_admitted_values_are_counted_by_dimension() -> None:
    bench = Bench()
    folded = replace(outcome(stored=9), folded=(("user_id", 4),), admitted=(("model", 2),))
    for _ in range(2):
        bench.metrics.chunk_stored(SOURCE, folded, is_replay=False)
    assert bench.sample(f"{PREFIX}folded_events_total", dimension="user_id") == 8
    assert bench.sample(f"{PREFIX}admitted_values_total", dimension="model") == 4


def test_an_insert_is_timed_by_table() -> None:
    bench = Bench()
    bench.metrics.insert_took("requests", 0.02, 500)
    bench.metrics.insert_failed("requests")
    assert bench.sample(f"{PREFIX}insert_seconds_sum", table="requests") == 0.02
    assert bench.sample(f"{PREFIX}insert_rows_total", table="requests") == 500
    assert bench.sample(f"{PREFIX}insert_errors_total", table="requests") == 1


def test_the_store_is_away_while_any_partition_waits_for_it() -> None:
    metrics, other = Bench().metrics, replace(SOURCE, partition=4)
    metrics.store_away(SOURCE, 0.2)
    metrics.store_away(other, 0.2)
    metrics.store_back(SOURCE)
    assert metrics.is_store_away
    metrics.store_back(other)
    assert not metrics.is_store_away


def test_a_pause_lasts_from_giving_up_to_the_next_assignment() -> None:
    bench = Bench()
    bench.metrics.rebalance_began()
    bench.elapsed_s = 1.0
    bench.metrics.rebalance_began()
    bench.elapsed_s = 3.0
    bench.metrics.rebalance_ended(4)
    assert bench.sample(f"{PREFIX}rebalance_pause_seconds_sum") == 3.0
    assert bench.sample(f"{PREFIX}rebalances_total") == 1


def test_the_first_assignment_is_no_pause() -> None:
    bench = Bench()
    bench.metrics.rebalance_ended(4)
    assert bench.sample(f"{PREFIX}rebalance_pause_seconds_count") == 0
    assert bench.sample(f"{PREFIX}rebalances_total") == 1


def test_the_lag_is_shown_by_partition() -> None:
    bench = Bench()
    bench.metrics.show_lag([lag(1), lag(2)], only_here=5, read_at_s=77.0)
    assert bench.sample(f"{PREFIX}lag_records", partition="2") == 20
    assert bench.sample(f"{PREFIX}lag_seconds", partition="1") == 0.5
    assert bench.sample(f"{PREFIX}retention_used_ratio", partition="1") == 0.25
    assert bench.sample(f"{PREFIX}only_in_memory_records") == 5
    assert bench.sample(f"{PREFIX}lag_read_timestamp_seconds") == 77


def test_a_partition_that_moved_away_is_shown_no_longer() -> None:
    bench = Bench()
    bench.metrics.show_lag([lag(1), lag(2)], only_here=0, read_at_s=1.0)
    bench.metrics.show_lag([lag(2)], only_here=0, read_at_s=2.0)
    assert bench.sample(f"{PREFIX}lag_records", partition="1") is None
    assert bench.sample(f"{PREFIX}lag_records", partition="2") == 20


def test_a_retention_that_is_not_known_is_not_shown() -> None:
    bench = Bench()
    bench.metrics.show_lag([lag(1, retention_used_ratio=None)], only_here=0, read_at_s=1.0)
    assert bench.sample(f"{PREFIX}retention_used_ratio", partition="1") is None


def test_token_windows_are_shown_by_table() -> None:
    bench = Bench()
    bench.metrics.show_token_windows({"requests": 0.12})
    assert bench.sample(f"{PREFIX}token_window_used_ratio", table="requests") == 0.12


def test_two_workers_of_one_process_share_nothing() -> None:
    one, other = Bench(), Bench()
    one.metrics.insert_took("requests", 0.1, 1)
    assert other.sample(f"{PREFIX}insert_rows_total", table="requests") is None


def test_the_version_is_shown() -> None:
    assert Bench().sample("inferometer_build_info", version="1.2.3") == 1
