"""What a rate needs follows closed forms, grows with the rate, and says what breaks first."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.sizing import (
    DAY_S,
    FORMULAE,
    Demand,
    carries,
    chunk_rate,
    nic_bytes_per_s,
    partitions_for,
    size,
)
from inferometer.core.sizing_limits import HIGHEST_RATE, limits
from inferometer.core.unit_costs import UnitCosts
from inferometer.kafka.settings import WorkerSettings

COSTS = UnitCosts(
    worker_event_us=5.0,
    worker_chunk_ms=0.0,
    worker_efficiency=1.0,
    worker_memory_mib=500.0,
    store_event_us=4.0,
    store_merge_event_us=3.0,
    store_chunk_ms=0.0,
    broker_event_us=1.0,
    value_bytes=800.0,
    wire_bytes=400.0,
    insert_bytes=300.0,
    log_row_bytes=100.0,
    service_row_bytes=1000.0,
    usage_row_bytes=100.0,
    hash_bytes=8.0,
    merge_rewrites=2.0,
    token_window=30_000.0,
    utilisation=0.5,
    node_cores=10.0,
    node_disk_tb=10.0,
    disk_fill=0.5,
    disk_write_mb_s=500.0,
    nic_gbit_s=8.0,
    nic_utilisation=0.5,
    parts_delay=1000.0,
    merge_pause_s=60.0,
    broker_partitions=4000.0,
    group_members=500.0,
    worker_memory_limit_mib=1200.0,
)
DEMAND = Demand(rate=1_000_000.0, log_days=10.0)
RATES = st.floats(min_value=1.0, max_value=1e7)


def test_workers_are_the_cpu_of_all_events_over_what_a_core_may_be_busy() -> None:
    assert size(DEMAND, COSTS).workers == 10  # 1e6 x 5 us / 0.5


def test_a_worker_in_company_that_does_less_needs_more_of_them() -> None:
    assert size(DEMAND, replace(COSTS, worker_efficiency=0.8)).workers == 13


def test_each_chunk_costs_worker_and_store_besides_its_events() -> None:
    plain, costly = (
        size(DEMAND, replace(COSTS, worker_chunk_ms=ms, store_chunk_ms=2 * ms)) for ms in (0.0, 1.0)
    )
    assert costly.worker_cpu == pytest.approx(plain.worker_cpu + costly.chunks_per_s / 1e3)
    assert costly.store_cpu == pytest.approx(plain.store_cpu + 2 * costly.chunks_per_s / 1e3)


@pytest.mark.parametrize(("workers", "partitions"), [(1, 12), (6, 12), (7, 24), (100, 204)])
def test_partitions_are_two_a_worker_in_dozens(workers: int, partitions: int) -> None:
    assert partitions_for(workers) == partitions


@pytest.mark.parametrize(
    ("rate", "chunks_per_s"),
    [
        (6.0, 6.0),  # one an event
        (12_000.0, 12.0),  # one a second of each partition
        (12 * 200_000.0, 12 * 200_000.0 / (64 * (1 << 20) / 800.0)),  # full by bytes
    ],
)
def test_chunks_are_one_an_event_or_one_a_wait_or_full(rate: float, chunks_per_s: float) -> None:
    assert chunk_rate(replace(DEMAND, rate=rate), COSTS, 12) == pytest.approx(chunks_per_s)


def test_a_chunk_is_full_by_events_where_events_are_small() -> None:
    small = replace(COSTS, value_bytes=1.0)
    assert chunk_rate(replace(DEMAND, rate=12e6), small, 12) == pytest.approx(12e6 / 250_000)


def test_a_partition_that_keeps_up_cuts_as_often_as_the_worker_does() -> None:
    default = WorkerSettings.__dataclass_fields__["chunk_min_wait_s"].default
    assert default == DEMAND.chunk_min_wait_s


def test_the_log_is_rate_times_days_times_row_in_every_copy() -> None:
    assert size(DEMAND, COSTS).log_bytes == pytest.approx(2 * 1e6 * DAY_S * 10 * 100)


def test_roll_ups_do_not_grow_once_every_group_is_in_every_window() -> None:
    bytes_ = [size(replace(DEMAND, rate=rate), COSTS).rollup_bytes for rate in (1e5, 1e6, 1e7)]
    assert bytes_[0] == bytes_[1] == bytes_[2]
    service = 1000 * (8640 * 7 + 1440 * 90 + 24 * 1095) * 1000.0
    usage = 10_000 * (1440 * 90 + 24 * 1095) * 100.0
    assert bytes_[0] == pytest.approx(2 * (service + usage))


def test_a_window_has_no_more_rows_than_events() -> None:
    rare = size(replace(DEMAND, rate=0.001), COSTS)
    rows = 0.001 * DAY_S * (7 + 90 + 1095) * 1000.0 + 0.001 * DAY_S * (90 + 1095) * 100.0
    assert rare.rollup_bytes == pytest.approx(2 * rows)


def test_every_replica_merges_and_one_inserts() -> None:
    assert size(DEMAND, COSTS).store_cpu == pytest.approx(4.0 + 2 * 3.0)
    assert size(replace(DEMAND, store_replicas=3), COSTS).store_cpu == pytest.approx(4.0 + 3 * 3.0)


def test_store_nodes_are_enough_for_cpu_and_for_disk() -> None:
    by_disk = size(DEMAND, COSTS)
    one_copy = (by_disk.log_bytes + by_disk.rollup_bytes) / 2
    assert by_disk.shards == math.ceil(one_copy / 5e12)
    by_cpu = size(replace(DEMAND, log_days=0.01), COSTS)
    assert by_cpu.store_nodes == 2  # 10 busy cores / 0.5 / 10 cores a node
    assert size(replace(DEMAND, rate=1.0), COSTS).store_nodes == 2


def test_brokers_are_at_least_as_many_as_copies_and_enough_for_disk_and_network() -> None:
    assert size(replace(DEMAND, rate=1.0), COSTS).brokers == 3
    disk = 1e6 * 400 * 3600 * 24 * 3
    assert size(DEMAND, COSTS).brokers == math.ceil(disk / 5e12)
    network = size(replace(DEMAND, kafka_hours=0.001), COSTS)
    assert network.brokers == max(3, math.ceil(1e6 * 400 * 3 / nic_bytes_per_s(COSTS)))


def test_a_worker_remembers_the_horizon_of_its_partitions_up_to_the_cap() -> None:
    slow = size(replace(DEMAND, rate=12_000.0), COSTS)
    assert slow.worker_memory_mib == pytest.approx(500 + 12 * 1000 * 600 * 8 / (1 << 20))
    fast = size(DEMAND, COSTS)
    assert fast.worker_memory_mib == pytest.approx(500 + 3 * 5_000_000 * 8 / (1 << 20))


@given(rate=RATES, more=st.floats(min_value=1.0, max_value=100.0))
def test_a_higher_rate_never_needs_less(rate: float, more: float) -> None:
    low, high = (size(replace(DEMAND, rate=each), COSTS) for each in (rate, rate * more))
    for name in (
        "cores", "worker_cpu", "workers", "partitions", "brokers", "store_nodes", "store_cpu",
        "log_bytes", "rollup_bytes", "kafka_bytes", "broker_bytes_per_s",
    ):  # fmt: skip
        assert getattr(high, name) >= getattr(low, name) * (1 - 1e-9), name


def test_what_one_machine_carries_is_a_quotient_of_its_unit_costs() -> None:
    found = dict(carries(DEMAND, COSTS))
    assert found["a worker, one core"] == pytest.approx(0.5 * 1e6 / 5)
    assert found["a ClickHouse node, by CPU"] == pytest.approx(0.5 * 10 * 1e6 / 7)
    assert found["a broker, by network"] == pytest.approx(0.5e9 / 400)
    by_disk = found["a ClickHouse node, by the disk of the log"]
    assert by_disk * DAY_S * 10 * 100 == pytest.approx(5e12)


@given(rate=RATES)
def test_workers_are_never_busier_than_allowed(rate: float) -> None:
    found = size(replace(DEMAND, rate=rate), COSTS)
    assert found.worker_cpu / found.workers <= COSTS.utilisation * (1 + 1e-9)


def test_the_limit_that_breaks_first_stands_first() -> None:
    found = limits(DEMAND, COSTS)
    assert [limit.breaks_at for limit in found] == sorted(limit.breaks_at for limit in found)


def test_above_its_rate_a_limit_is_broken_and_just_below_it_is_not() -> None:
    for limit in limits(DEMAND, COSTS):
        if math.isinf(limit.breaks_at) or limit.breaks_at >= HIGHEST_RATE / 2:
            continue
        above, below = (
            {each.name: each.use for each in limits(replace(DEMAND, rate=rate), COSTS)}
            for rate in (limit.breaks_at * 1.1, limit.breaks_at / 1.05)
        )
        assert above[limit.name] > 1, limit.name
        assert below[limit.name] <= 1.05, limit.name


def test_the_token_window_is_used_by_the_chunks_of_the_longest_outage() -> None:
    found = {limit.name: limit for limit in limits(replace(DEMAND, rate=12_000.0), COSTS)}
    assert found["token window of a table"].use == pytest.approx(12 * 900 / 30_000)


def test_a_horizon_that_the_cap_cuts_short_is_said_to_be_broken() -> None:
    found = {limit.name: limit for limit in limits(DEMAND, COSTS)}
    assert found["deduplication horizon in full"].use > 1
    roomy = replace(DEMAND, dedupe_max_events=10**12)
    found = {limit.name: limit for limit in limits(roomy, COSTS)}
    assert math.isinf(found["deduplication horizon in full"].breaks_at)


def test_every_formula_says_how() -> None:
    assert all(what and how for what, how in FORMULAE)


def test_a_limit_that_is_broken_at_the_rate_asked_for_never_holds_at_it() -> None:
    # Three partitions a worker here; from 24 partitions on it is two, and the memory suffices again.
    uneven = Demand(rate=500_000.0, log_days=10.0)
    tight = replace(COSTS, worker_memory_limit_mib=600.0)
    assert size(uneven, tight).worker_memory_mib > 600.0
    assert size(replace(uneven, rate=600_000.0), tight).worker_memory_mib < 600.0
    memory = next(each for each in limits(uneven, tight) if each.name == "memory of a worker")
    assert (memory.use > 1, memory.breaks_at) == (True, 500_000.0)
