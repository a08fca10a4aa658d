"""What breaks first as the rate grows: limits that more machines alone do not lift.

Invariant: `breaks_at` is the rate from which on every sizing uses more than the limit, to two percent,
or the rate that is asked for, where that comes first: machines are whole, so a use may fall again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from inferometer.core.sizing import Demand, Sizing, nic_bytes_per_s, size
from inferometer.core.token_windows import TokenLoad

if TYPE_CHECKING:
    from collections.abc import Callable

    from inferometer.core.unit_costs import UnitCosts

HIGHEST_RATE = 1e9
"""Events a second beyond which nobody asks."""
_STEP = 1.02


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit, how much of it is used, and from which rate on it does not hold."""

    name: str
    use: float
    """As a ratio; over 1 it is broken."""
    breaks_at: float
    """Events a second; infinite where neither the rate asked for nor any on to the highest breaks it."""
    remedy: str


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    use: Callable[[Sizing, UnitCosts], float]
    remedy: str


def limits(demand: Demand, costs: UnitCosts) -> list[Limit]:
    """Return every limit, the one that breaks first in front."""
    found = size(demand, costs)
    grid = [size(replace(demand, rate=rate), costs) for rate in _falling_rates()]
    listed = [_limit(rule, found, grid, costs) for rule in _RULES]
    return sorted(listed, key=lambda limit: (limit.breaks_at, -limit.use))


def _limit(rule: _Rule, found: Sizing, grid: list[Sizing], costs: UnitCosts) -> Limit:
    use, breaks_at = rule.use(found, costs), _breaks_at(rule, grid, costs)
    if use > 1.0:
        breaks_at = min(breaks_at, found.demand.rate)
    return Limit(rule.name, use, breaks_at, rule.remedy)


def _falling_rates() -> list[float]:
    steps = int(math.log(HIGHEST_RATE) / math.log(_STEP))
    return [HIGHEST_RATE / _STEP**step for step in range(steps)]


def _breaks_at(rule: _Rule, grid: list[Sizing], costs: UnitCosts) -> float:
    """Return the lowest rate above which no sizing keeps the limit.

    From above, because a use falls back wherever another machine is added.
    """
    lowest = math.inf
    for sizing in grid:
        if rule.use(sizing, costs) <= 1.0:
            break
        lowest = sizing.demand.rate
    return lowest


def _token_window(found: Sizing, costs: UnitCosts) -> float:
    demand = found.demand
    load = TokenLoad(
        partitions=found.partitions,
        inserts_per_s=found.chunks_per_s / found.partitions,
        days_an_insert=1.0,
        most_days_an_insert=1,
        longest_outage_s=demand.longest_outage_s,
    )
    return load.need / found.shards / costs.token_window


def _parts(found: Sizing, costs: UnitCosts) -> float:
    return found.chunks_per_s / found.shards * costs.merge_pause_s / costs.parts_delay


def _merge_writes(found: Sizing, costs: UnitCosts) -> float:
    written = found.demand.rate * costs.log_row_bytes * (1 + costs.merge_rewrites)
    return written / found.shards / (costs.disk_write_mb_s * 1e6)


def _partitions(found: Sizing, costs: UnitCosts) -> float:
    copies = found.partitions * found.demand.replication_factor
    return copies / found.brokers / costs.broker_partitions


def _members(found: Sizing, costs: UnitCosts) -> float:
    return found.workers / costs.group_members


def _worker_network(found: Sizing, costs: UnitCosts) -> float:
    # As many workers share a machine as it has cores.
    share = min(1.0, costs.node_cores / found.workers)
    sent = max(found.produced_bytes_per_s, found.inserted_bytes_per_s)
    return sent * share / nic_bytes_per_s(costs)


def _memory(found: Sizing, costs: UnitCosts) -> float:
    return found.worker_memory_mib / costs.worker_memory_limit_mib


def _horizon(found: Sizing, _costs: UnitCosts) -> float:
    demand = found.demand
    return found.partition_rate * demand.dedupe_horizon_s / demand.dedupe_max_events


_RULES = (
    _Rule(
        "token window of a table",
        _token_window,
        "raise (non_)replicated_deduplication_window, have fewer partitions, or expect shorter "
        "outages",
    ),
    _Rule(
        "parts before inserts are delayed",
        _parts,
        "fewer partitions, larger chunks (worker.chunk_max_events), or more shards",
    ),
    _Rule("merge writes to disk", _merge_writes, "add shards, or faster disks"),
    _Rule("partitions a broker", _partitions, "add brokers"),
    _Rule("members of one consumer group", _members, "split the topic and its workers"),
    _Rule("network of a worker machine", _worker_network, "fewer workers a machine"),
    _Rule("memory of a worker", _memory, "lower worker.dedupe_max_events, or add workers"),
    _Rule(
        "deduplication horizon in full",
        _horizon,
        "raise worker.dedupe_max_events, or add partitions: the horizon is shorter than "
        "worker.dedupe_horizon_s",
    ),
)
