"""Counts that need whole minutes or a comparison."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from inferometer.core.bins import bin_of_us
from inferometer.core.slo.counting import BATCH_REQUESTS, DURATION_BINS, BinCounts, CountTable
from inferometer.core.slo.definitions import (
    Availability,
    BatchIsolation,
    Cost,
    CostPer,
    Slo,
)
from inferometer.core.slo.derived_counts import (
    Counted,
    DerivedCounts,
    IsolationCounts,
    MinuteCosts,
    derived_counts,
)

HOUR_S = 1_767_225_600
"""A whole hour."""


def costs(*rows: tuple[int, int]) -> CountTable:
    return CountTable(
        name="w/s", digest="d", groups=((),), group=np.zeros(len(rows), np.int32),
        cells_s=np.array([cell for cell, _ in rows], np.int64),
        columns={"cost_usd": np.array([pico for _, pico in rows], np.int64)},
    )  # fmt: skip


def test_a_minute_is_bad_by_what_it_cost_altogether() -> None:
    counts = MinuteCosts(threshold_pico=100)
    counts.add(costs((HOUR_S, 60), (HOUR_S + 50, 41), (HOUR_S + 60, 100)), [0])
    assert counts.complete(HOUR_S + 50) == []
    assert counts.complete(HOUR_S + 60) == [(0, HOUR_S + 50, 1, 1)]
    assert counts.complete(HOUR_S + 120) == [(0, HOUR_S + 110, 1, 0)]


def test_late_costs_make_a_counted_minute_bad_once() -> None:
    counts = MinuteCosts(threshold_pico=100)
    counts.add(costs((HOUR_S, 60)), [0])
    assert counts.complete(HOUR_S + 60) == [(0, HOUR_S + 50, 1, 0)]
    for expected in ([(0, HOUR_S + 50, 0, 1)], []):
        counts.add(costs((HOUR_S + 10, 60)), [0])
        assert counts.complete(HOUR_S + 70) == expected


def realtime(cell_s: int, durations_ms: list[float], *, batch: int = 0) -> CountTable:
    bins = [bin_of_us(int(ms * 1000)) for ms in durations_ms]
    return CountTable(
        name="w/s", digest="d", groups=(("m",),), group=np.zeros(1, np.int32),
        cells_s=np.array([cell_s], np.int64),
        columns={"total": np.array([len(bins)], np.int64), BATCH_REQUESTS: np.array([batch], np.int64)},
        bins={DURATION_BINS: BinCounts(np.zeros(len(bins), np.int32), np.array(bins, np.int16),
                                       np.ones(len(bins), np.int64))},
    )  # fmt: skip


def taught() -> IsolationCounts:
    counts = IsolationCounts(BatchIsolation(allowed=Decimal("0.05")))
    for cell in range(20):
        counts.add(realtime(HOUR_S + 10 * cell, [100.0] * 100), [7])
    assert counts.complete(HOUR_S + 200) == []
    return counts


def beside_batch(counts: DerivedCounts) -> list[Counted]:
    cell_s = HOUR_S + 3600
    counts.add(realtime(cell_s, [100.0, 104.0, 120.0], batch=3), [7])
    return counts.complete(cell_s + 10)


def test_realtime_is_held_against_itself_without_batch() -> None:
    assert beside_batch(taught()) == [(7, HOUR_S + 3600, 3, 1)]


def test_batch_counts_for_the_minute_after_it() -> None:
    counts = taught()
    beside_batch(counts)
    counts.add(realtime(HOUR_S + 3660, [120.0]), [7])
    counts.add(realtime(HOUR_S + 3670, [120.0]), [7])
    assert counts.complete(HOUR_S + 3680) == [(7, HOUR_S + 3660, 1, 1)]


def test_isolation_goes_on_from_its_state() -> None:
    again = IsolationCounts(BatchIsolation(allowed=Decimal("0.05")))
    again.restore(taught().to_state())
    assert beside_batch(again) == [(7, HOUR_S + 3600, 3, 1)]


def test_minutes_go_on_from_their_state() -> None:
    counts = MinuteCosts(threshold_pico=100)
    counts.add(costs((HOUR_S, 60)), [0])
    counts.complete(HOUR_S + 60)
    counts.add(costs((HOUR_S + 60, 101)), [0])
    again = MinuteCosts(threshold_pico=100)
    again.restore(counts.to_state())
    assert again.complete(HOUR_S + 120) == counts.complete(HOUR_S + 120)


def test_most_objectives_need_no_more_than_counts() -> None:
    def made(indicator: Availability | Cost | BatchIsolation) -> str:
        slo = Slo(name="s", workspace="", service="", indicator=indicator, objective=Decimal("0.9"))
        return type(derived_counts(slo)).__name__

    usd = Decimal(1)
    assert made(Availability()) == "NoneType"
    assert made(Cost(per=CostPer.REQUEST, threshold_usd=usd)) == "NoneType"
    assert made(Cost(per=CostPer.MINUTE, threshold_usd=usd)) == "MinuteCosts"
    assert made(BatchIsolation()) == "IsolationCounts"
