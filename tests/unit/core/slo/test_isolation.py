"""Rules of what batch may cost realtime traffic."""

from __future__ import annotations

import pytest

from inferometer.core.bins import bin_of_us
from inferometer.core.slo.definitions import DAY_S, HOUR_S, BatchIsolation
from inferometer.core.slo.isolation import IsolationBaseline
from inferometer.errors import StateError

START_S = 1_767_571_200


def _bins(*durations_ms: float) -> dict[int, int]:
    found: dict[int, int] = {}
    for duration_ms in durations_ms:
        name = bin_of_us(int(duration_ms * 1000))
        found[name] = found.get(name, 0) + 1
    return found


def _taught() -> IsolationBaseline:
    """Return a baseline whose p99 without batch is 1000 ms."""
    baseline = IsolationBaseline(BatchIsolation())
    for cell in range(20):
        durations = [100.0] * 98 + [1000.0, 1000.0]
        baseline.observe(START_S + 10 * cell, _bins(*durations), has_batch=False)
    return baseline


def test_the_threshold_is_the_p99_without_batch_and_what_is_allowed() -> None:
    threshold_us = _taught().threshold_us(START_S + HOUR_S)
    assert threshold_us == pytest.approx(1_050_000, rel=0.005)


def test_only_cells_with_batch_count() -> None:
    baseline = _taught()
    cell_s = START_S + HOUR_S
    assert baseline.observe(cell_s, _bins(5000.0), has_batch=False) == (0, 0)
    slow = _bins(900.0, 1000.0, 1100.0, 5000.0)
    assert baseline.observe(cell_s + 10, slow, has_batch=True) == (4, 2)


def test_cells_with_batch_teach_nothing() -> None:
    baseline = _taught()
    for cell in range(100):
        baseline.observe(START_S + HOUR_S + 10 * cell, _bins(*[9000.0] * 100), has_batch=True)
    assert baseline.threshold_us(START_S + 2 * HOUR_S) == pytest.approx(1_050_000, rel=0.005)


def test_the_hour_that_runs_does_not_teach_itself() -> None:
    baseline = _taught()
    assert baseline.threshold_us(START_S + 1800) is None
    assert baseline.observe(START_S + 1800, _bins(9000.0), has_batch=True) == (0, 0)


def test_too_few_requests_set_no_threshold() -> None:
    baseline = IsolationBaseline(BatchIsolation())
    baseline.observe(START_S, _bins(*[100.0] * 999), has_batch=False)
    assert baseline.threshold_us(START_S + HOUR_S) is None


def test_a_week_later_it_is_forgotten() -> None:
    baseline = _taught()
    assert baseline.threshold_us(START_S + 7 * DAY_S) is not None
    assert baseline.threshold_us(START_S + 7 * DAY_S + HOUR_S) is None
    baseline.observe(START_S + 20 * DAY_S, _bins(1.0), has_batch=False)
    assert len(baseline.hours) == 1


def test_a_snapshot_sets_the_same_threshold() -> None:
    restored = IsolationBaseline(BatchIsolation())
    restored.restore(_taught().snapshot())
    at_s = START_S + HOUR_S
    assert restored.threshold_us(at_s) == _taught().threshold_us(at_s) is not None


def test_a_snapshot_of_another_version_is_refused() -> None:
    with pytest.raises(StateError, match="version 3"):
        IsolationBaseline(BatchIsolation()).restore(b'{"version": 3}')
