"""What a rate needs: cores, workers, partitions, brokers, store nodes, disk and network.

Everything is a closed form of the demand and the unit costs; `FORMULAE` states each, in the words of
the report, so that nobody has to read the code to doubt a number.
Invariants: a higher rate never needs less; counts of machines are whole; nothing is measured here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inferometer.core.unit_costs import UnitCosts

DAY_S = 86_400
LEAST_PARTITIONS = 12
PARTITIONS_A_WORKER = 2
"""So that half of them can be moved when a worker is added, and chunks stay small enough."""
SERVICE_WINDOWS_S = (10, 60, 3600)
USAGE_WINDOWS_S = (60, 3600)

FORMULAE = (
    ("cores", "workers + (broker CPU + store CPU) / utilisation"),
    ("chunks/s", "partitions x max(rate/partitions / full chunk, min(rate/partitions, 1/chunk_min_wait_s)); a full chunk is min(chunk_max_events, chunk_max_bytes / value_bytes)"),
    ("worker CPU", "rate x worker_event_us + chunks/s x worker_chunk_ms"),
    ("workers", "ceil(worker CPU / (utilisation x worker_efficiency)), one process a core"),
    ("partitions", "max(12, 2 x workers), rounded up to a multiple of 12"),
    ("store CPU", "rate x (store_event_us + replicas x store_merge_event_us) + chunks/s x store_chunk_ms"),
    ("store nodes", "replicas x max(ceil(store CPU / utilisation / node_cores / replicas), ceil(disk of one copy / (node_disk_tb x disk_fill)))"),
    ("log", "rate x 86,400 x retention x log_row_bytes"),
    ("roll-ups", "for each window w: min(groups, rate x w) / w x 86,400 x days x bytes of a row"),
    ("Kafka disk", "rate x wire_bytes x 3,600 x hours x replication factor"),
    ("broker CPU", "rate x broker_event_us x replication factor"),
    ("brokers", "max(replication factor, by CPU, by disk, by network in or out)"),
    ("broker network", "in: rate x wire_bytes x replication factor; out: the same bytes (followers and one consumer group)"),
    ("memory of a worker", "worker_memory_mib + partitions/workers x min(rate/partitions x dedupe_horizon_s, dedupe_max_events) x hash_bytes"),
)  # fmt: skip
"""(what, how), in the order of the report; CPU in cores, microseconds and milliseconds as such."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What is asked for, and the settings that matter for it."""

    rate: float
    """Events a second, on average over the busiest minutes."""
    log_days: float
    rollup_10s_days: float = 7
    rollup_1m_days: float = 90
    rollup_1h_days: float = 1095
    service_groups: int = 1_000
    """Groups of the service cube that are active in a window."""
    usage_groups: int = 10_000
    kafka_hours: float = 24.0
    replication_factor: int = 3
    store_replicas: int = 2
    chunk_max_events: int = 250_000
    chunk_max_bytes: float = 64 * (1 << 20)
    chunk_min_wait_s: float = 1.0
    """How often a partition that keeps up cuts a chunk at most."""
    dedupe_horizon_s: float = 600.0
    dedupe_max_events: int = 5_000_000
    longest_outage_s: float = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """What it takes. Disk in bytes over all copies, network in bytes a second over all machines."""

    demand: Demand
    cores: int
    """All that have to be there: those of workers, brokers and store, headroom included."""
    worker_cpu: float
    """Cores that are busy on average."""
    workers: int
    partitions: int
    chunks_per_s: float
    worker_memory_mib: float
    broker_cpu: float
    brokers: int
    store_cpu: float
    store_nodes: int
    shards: int
    log_bytes: float
    rollup_bytes: float
    kafka_bytes: float
    produced_bytes_per_s: float
    broker_bytes_per_s: float
    """In, or as many out, over all brokers: what producers send times the copies."""
    inserted_bytes_per_s: float

    @property
    def partition_rate(self) -> float:
        """Events a second of one partition."""
        return self.demand.rate / self.partitions


def size(demand: Demand, costs: UnitCosts) -> Sizing:
    """Return what a demand takes."""
    workers, partitions = _workers(demand, costs)
    chunks_per_s = chunk_rate(demand, costs, partitions)
    store_cpu = _store_cpu(demand, costs, chunks_per_s)
    log_bytes, rollup_bytes = _log_bytes(demand, costs), _rollup_bytes(demand, costs)
    shards = _shards(demand, costs, store_cpu, log_bytes + rollup_bytes)
    produced = demand.rate * costs.wire_bytes
    kafka_bytes = produced * 3600 * demand.kafka_hours * demand.replication_factor
    broker_cpu = demand.rate * costs.broker_event_us / 1e6 * demand.replication_factor
    copied = produced * demand.replication_factor
    return Sizing(
        demand=demand,
        cores=workers + math.ceil((broker_cpu + store_cpu) / costs.utilisation),
        worker_cpu=_worker_cpu(demand, costs, chunks_per_s),
        workers=workers,
        partitions=partitions,
        chunks_per_s=chunks_per_s,
        worker_memory_mib=_worker_memory_mib(demand, costs, workers, partitions),
        broker_cpu=broker_cpu,
        brokers=_brokers(demand, costs, broker_cpu, kafka_bytes, copied),
        store_cpu=store_cpu,
        store_nodes=shards * demand.store_replicas,
        shards=shards,
        log_bytes=log_bytes * demand.store_replicas,
        rollup_bytes=rollup_bytes * demand.store_replicas,
        kafka_bytes=kafka_bytes,
        produced_bytes_per_s=produced,
        broker_bytes_per_s=copied,
        inserted_bytes_per_s=demand.rate * costs.insert_bytes,
    )


def carries(demand: Demand, costs: UnitCosts) -> list[tuple[str, float]]:
    """Return (what, events a second) that one core or machine carries, chunks' own costs aside."""
    store_us = costs.store_event_us + costs.store_merge_event_us
    disk_bytes = costs.node_disk_tb * 1e12 * costs.disk_fill
    a_node = costs.utilisation * costs.node_cores * 1e6
    return [
        ("a worker, one core", costs.utilisation * 1e6 / costs.worker_event_us),
        ("a ClickHouse node, by CPU", a_node / store_us),
        (
            "a ClickHouse node, by the disk of the log",
            disk_bytes / (DAY_S * demand.log_days * costs.log_row_bytes),
        ),
        ("a broker, by CPU", a_node / costs.broker_event_us),
        ("a broker, by network", nic_bytes_per_s(costs) / costs.wire_bytes),
        (
            "a broker, by the disk of its records",
            disk_bytes / (3600 * demand.kafka_hours * costs.wire_bytes),
        ),
    ]


def chunk_rate(demand: Demand, costs: UnitCosts, partitions: int) -> float:
    """Return chunks a second over all partitions: full ones, or one each wait, or one an event."""
    rate = demand.rate / partitions
    full = min(float(demand.chunk_max_events), demand.chunk_max_bytes / costs.value_bytes)
    return partitions * max(rate / full, min(rate, 1.0 / demand.chunk_min_wait_s))


def partitions_for(workers: int) -> int:
    """Return how many partitions suit a number of workers."""
    wanted = max(LEAST_PARTITIONS, PARTITIONS_A_WORKER * workers)
    return math.ceil(wanted / LEAST_PARTITIONS) * LEAST_PARTITIONS


def _workers(demand: Demand, costs: UnitCosts) -> tuple[int, int]:
    """Return workers and partitions: more partitions cut more chunks, which want more workers."""
    workers = 1
    while True:
        partitions = partitions_for(workers)
        cpu = _worker_cpu(demand, costs, chunk_rate(demand, costs, partitions))
        needed = math.ceil(cpu / (costs.utilisation * costs.worker_efficiency))
        if needed <= workers:
            return workers, partitions
        workers = needed


def _worker_cpu(demand: Demand, costs: UnitCosts, chunks_per_s: float) -> float:
    return demand.rate * costs.worker_event_us / 1e6 + chunks_per_s * costs.worker_chunk_ms / 1e3


def _store_cpu(demand: Demand, costs: UnitCosts, chunks_per_s: float) -> float:
    # Every replica merges for itself, one of them inserts.
    an_event_us = costs.store_event_us + demand.store_replicas * costs.store_merge_event_us
    return demand.rate * an_event_us / 1e6 + chunks_per_s * costs.store_chunk_ms / 1e3


def _log_bytes(demand: Demand, costs: UnitCosts) -> float:
    return demand.rate * DAY_S * demand.log_days * costs.log_row_bytes


def _rollup_bytes(demand: Demand, costs: UnitCosts) -> float:
    days = {10: demand.rollup_10s_days, 60: demand.rollup_1m_days, 3600: demand.rollup_1h_days}

    def held(groups: int, window_s: int) -> float:
        return min(groups, demand.rate * window_s) / window_s * DAY_S * days[window_s]

    service = sum(held(demand.service_groups, window_s) for window_s in SERVICE_WINDOWS_S)
    usage = sum(held(demand.usage_groups, window_s) for window_s in USAGE_WINDOWS_S)
    return service * costs.service_row_bytes + usage * costs.usage_row_bytes


def _shards(demand: Demand, costs: UnitCosts, store_cpu: float, one_copy_bytes: float) -> int:
    nodes_by_cpu = store_cpu / costs.utilisation / costs.node_cores
    by_cpu = math.ceil(nodes_by_cpu / demand.store_replicas)
    by_disk = math.ceil(one_copy_bytes / (costs.node_disk_tb * 1e12 * costs.disk_fill))
    return max(1, by_cpu, by_disk)


def _brokers(
    demand: Demand, costs: UnitCosts, cpu: float, disk_bytes: float, copied_bytes_per_s: float
) -> int:
    by_cpu = math.ceil(cpu / costs.utilisation / costs.node_cores)
    by_disk = math.ceil(disk_bytes / (costs.node_disk_tb * 1e12 * costs.disk_fill))
    by_network = math.ceil(copied_bytes_per_s / nic_bytes_per_s(costs))
    return max(demand.replication_factor, by_cpu, by_disk, by_network)


def nic_bytes_per_s(costs: UnitCosts) -> float:
    """Return what a network card is given to do, one way."""
    return costs.nic_gbit_s * 1e9 / 8 * costs.nic_utilisation


def _worker_memory_mib(demand: Demand, costs: UnitCosts, workers: int, partitions: int) -> float:
    remembered = min(
        demand.rate / partitions * demand.dedupe_horizon_s, float(demand.dedupe_max_events)
    )
    hashes_bytes = math.ceil(partitions / workers) * remembered * costs.hash_bytes
    return costs.worker_memory_mib + hashes_bytes / (1 << 20)
