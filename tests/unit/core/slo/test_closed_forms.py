"""The closed forms against the printed tables, and evaluation against the closed forms (T1, T7)."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest

from inferometer.core.slo.burn_conditions import TRUE
from inferometer.core.slo.closed_forms import (
    clearing_s,
    crossing_s,
    first_tick_after,
    first_tick_from,
    outage_detection_s,
    pair_clearing_s,
    pair_detection_s,
    ramp_crossing_s,
    rules_detection_s,
    single_failure_bound,
    threshold_of,
)
from inferometer.core.slo.definitions import DAY_S, HOUR_S, OutageRule
from inferometer.core.slo.history_evaluation import evaluate_history
from tests.unit.core.slo.scenes import START, WORKBOOK, slo

if TYPE_CHECKING:
    from inferometer.core.slo.definitions import BurnWindow

FAST, SLOW, DAY, THREE_DAYS = WORKBOOK
OBJECTIVES = ("0.9999", "0.999", "0.995", "0.99", "0.95")
RATIOS = ("1", "0.5", "0.2", "0.15", "0.1", "0.05", "0.02", "0.01", "0.005", "0.002")
NEVER = None

# alerting.md 2.2: error ratio, detection of fast, slow and both tickets, clearing of all four, min.
TABLE = [
    ("1", 0.86, 2.16, 4.32, 4.93, 29.8, 119.6, 359.6),
    ("0.5", 1.73, 4.32, 8.64, 4.86, 29.6, 119.3, 359.3),
    ("0.2", 4.32, 10.8, 21.6, 4.64, 29.1, 118.2, 358.2),
    ("0.15", 5.76, 14.4, 28.8, 4.52, 28.8, 117.6, 357.6),
    ("0.1", 8.64, 21.6, 43.2, 4.28, 28.2, 116.4, 356.4),
    ("0.05", 17.28, 43.2, 86.4, 3.56, 26.4, 112.8, 352.8),
    ("0.02", 43.2, 108, 216, 1.40, 21.0, 102, 342),
    ("0.01", NEVER, 216, 432, NEVER, 12.0, 84, 324),
    ("0.005", NEVER, NEVER, 864, NEVER, NEVER, 48, 288),
]


def minutes(seconds: Fraction | float | None) -> float | None:
    return None if seconds is None else float(seconds) / 60


def about(value: float | None) -> object:
    # Printed values are rounded, or cut, at their last digit.
    return value if value is None else pytest.approx(value, abs=0.06 if value > 20 else 0.006)


@pytest.mark.parametrize("row", TABLE, ids=[row[0] for row in TABLE])
def test_closed_forms_are_those_of_the_table(row: tuple[str, *tuple[float | None, ...]]) -> None:
    ratio, *printed = row
    error = Decimal(ratio)
    detections = [pair_detection_s(window, slo(), error) for window in (FAST, SLOW, DAY)]
    clearings = [pair_clearing_s(window, slo(), error) for window in WORKBOOK]
    for computed, expected in zip((*detections, *clearings), printed, strict=True):
        assert minutes(computed) == about(expected)
    three_days = pair_detection_s(THREE_DAYS, slo(), error)
    assert three_days == pair_detection_s(DAY, slo(), error)


def test_the_slowest_burn_is_seen_by_the_longest_window_alone() -> None:
    error = Decimal("0.002")
    found = [minutes(pair_detection_s(window, slo(), error)) for window in WORKBOOK]
    assert found == [None, None, None, 2160]
    assert minutes(pair_clearing_s(THREE_DAYS, slo(), error)) == 180


@pytest.mark.parametrize(
    ("objective", "fast", "slow"),
    [
        ("0.9999", 0.09, 0.22),
        ("0.995", 4.3, 10.8),
        ("0.99", 8.6, 21.6),
        ("0.95", 43.2, 108),
        ("0.9", None, 216),
    ],
)
def test_a_total_failure_of_other_objectives(
    objective: str, fast: float | None, slow: float
) -> None:
    found = [pair_detection_s(window, slo(objective), 1) for window in (FAST, SLOW)]
    assert minutes(found[0]) == (fast if fast is None else pytest.approx(fast, abs=0.05))
    assert minutes(found[1]) == pytest.approx(slow, abs=0.05)


@pytest.mark.parametrize(
    ("traffic", "expected"),
    [("10", 0.09), ("3", 0.29), ("0.5", 1.70), ("0.1", 7.65), ("0.03", 19.7), ("0.01", 35.6)],
)
def test_traffic_moves_the_detection(traffic: str, expected: float) -> None:
    found = pair_detection_s(FAST, slo(), 1, traffic=Decimal(traffic))
    assert minutes(found) == pytest.approx(expected, abs=0.06)


def test_without_traffic_nothing_is_detected() -> None:
    assert pair_detection_s(FAST, slo(), 1, traffic=0) is None


@pytest.mark.parametrize(
    ("objective", "bound"), [("0.999", 69.4), ("0.9999", 694), ("0.995", 13.9), ("0.99", 6.9)]
)
def test_below_a_bound_one_failure_is_above_the_threshold(objective: str, bound: float) -> None:
    found = single_failure_bound(threshold_of(FAST, slo(objective)))
    assert float(found) == pytest.approx(bound, rel=0.01)


def test_a_baseline_shortens_detection_and_lengthens_clearing() -> None:
    theta = Decimal("0.0144")
    bare, raised = (crossing_s(HOUR_S, theta, 1, baseline=base) for base in (0, Decimal("0.01")))
    assert bare is not None
    assert raised is not None
    assert raised < bare
    assert clearing_s(HOUR_S, theta, 1, baseline=Decimal("0.01")) == HOUR_S - raised
    assert crossing_s(HOUR_S, theta, 1, baseline=Decimal("0.02")) == 0


def test_an_incident_that_ends_before_is_not_detected() -> None:
    assert pair_detection_s(FAST, slo(), 1, duration_s=51) is None
    assert pair_detection_s(FAST, slo(), 1, duration_s=52) is not None
    assert rules_detection_s(WORKBOOK, slo(), 1, duration_s=52) == Fraction("51.84")
    assert rules_detection_s(WORKBOOK, slo(), Decimal("0.0005")) is None
    assert clearing_s(HOUR_S, Decimal("0.5"), Decimal("0.4")) is None


def test_a_rising_ratio_is_detected_after_the_root() -> None:
    theta = Decimal("0.0144")
    per_minute = Fraction(1, 100) / 60
    assert minutes(ramp_crossing_s(HOUR_S, theta, per_minute)) == pytest.approx(13.1, abs=0.06)
    assert minutes(ramp_crossing_s(HOUR_S, theta, per_minute / 10)) == pytest.approx(41.6, abs=0.06)
    assert ramp_crossing_s(HOUR_S, theta, per_minute / 100) is None
    assert ramp_crossing_s(HOUR_S, theta, 0) is None


def test_an_outage_is_detected_after_half_its_window() -> None:
    assert outage_detection_s(OutageRule(), 1) == 150
    assert outage_detection_s(OutageRule(), Decimal("0.49")) is None


def test_ticks_round_up_and_a_ratio_at_its_threshold_is_not_above() -> None:
    assert [first_tick_after(instant) for instant in (0, Fraction("51.84"), 60)] == [10, 60, 70]
    assert [first_tick_from(instant) for instant in (0, Fraction("51.84"), 60)] == [0, 60, 60]


# L1: counts without noise. Firing and clearing ticks have to be those of the closed forms.

PER_CELL = 100_000
WARM_UP = 3 * DAY_S
CELL_OF = {FAST.name: 0, SLOW.name: 0, DAY.name: 600, THREE_DAYS.name: 600}
"""By how much a tick may differ: not at all, or one ring cell."""


def ticks(instant: Fraction | None, *, is_firing: bool) -> int | None:
    if instant is None:
        return None
    return first_tick_after(instant) if is_firing else first_tick_from(instant)


def spans_of(condition: np.ndarray, ticks_s: np.ndarray, end_s: int) -> tuple[int | None, ...]:
    """Return the first tick that is true, and the first after the end that is not."""
    is_true = np.flatnonzero(condition == TRUE)
    if not is_true.size or ticks_s[is_true[0]] > end_s:
        return None, None
    after = np.flatnonzero((condition != TRUE) & (ticks_s >= end_s))
    return int(ticks_s[is_true[0]]), int(ticks_s[after[0]])


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_noise_free_counts_fire_and_clear_at_the_closed_form(objective: str, ratio: str) -> None:
    declared, error = slo(objective), Decimal(ratio)
    detections = {window.name: pair_detection_s(window, declared, error) for window in WORKBOOK}
    longest = max((found for found in detections.values() if found is not None), default=None)
    duration = 600 if longest is None else first_tick_after(longest) + 600
    fired = run_incident(declared.burn_windows, objective, error, duration)
    for window in WORKBOOK:
        detection = detections[window.name]
        clearing = None if detection is None else pair_clearing_s(window, declared, error)
        slack = CELL_OF[window.name]
        firing, cleared = fired[window.name]
        assert firing == pytest.approx(ticks(detection, is_firing=True), abs=slack) or (
            firing is None and detection is None
        )
        # Short windows are all kept in cells of ten seconds: tickets clear exactly as well.
        assert cleared == ticks(clearing, is_firing=False)


def run_incident(
    windows: tuple[BurnWindow, ...], objective: str, error: Decimal, duration_s: int
) -> dict[str, tuple[int | None, int | None]]:
    """Return firing after the start and clearing after the end of each pair, in seconds."""
    calm_s = windows[-1].short_s + 600
    cells = (WARM_UP + duration_s + calm_s) // 10
    totals, bads = np.full((cells, 1), PER_CELL), np.zeros((cells, 1), np.int64)
    first, last = WARM_UP // 10, (WARM_UP + duration_s) // 10
    bads[first:last] = int(error * PER_CELL)
    start_s, end_s = START + WARM_UP, START + WARM_UP + duration_s
    blocks = list(evaluate_history(slo(objective), START, totals, bads, first_tick_s=start_s + 10))
    ticks_s = np.concatenate([block.ticks_s for block in blocks])
    found = {}
    for row, window in enumerate(windows):
        condition = np.concatenate([block.conditions[row, :, 0] for block in blocks])
        firing, cleared = spans_of(condition, ticks_s, end_s)
        found[window.name] = (
            None if firing is None else firing - start_s,
            None if cleared is None else cleared - end_s,
        )
    return found


@pytest.mark.parametrize("traffic", ["10", "3", "0.5", "0.1", "0.03", "0.01"])
def test_traffic_that_changes_with_the_failure_fires_at_the_closed_form(traffic: str) -> None:
    factor = Decimal(traffic)
    detection = pair_detection_s(FAST, slo(), 1, traffic=factor)
    duration = 3000
    cells = (7 * HOUR_S + duration) // 10
    totals = np.full((cells, 1), PER_CELL)
    first = 7 * HOUR_S // 10
    totals[first:] = int(PER_CELL * factor)
    bads = np.where(np.arange(cells)[:, None] >= first, totals, 0)
    start_s = START + 7 * HOUR_S
    for block in evaluate_history(slo(), START, totals, bads, first_tick_s=start_s + 10):
        condition = block.conditions[0, :, 0]
        firing, _ = spans_of(np.append(condition, 0), np.append(block.ticks_s, 2**40), 2**39)
        assert firing is not None
        assert firing - start_s == ticks(detection, is_firing=True)


@pytest.mark.parametrize(
    ("ratio", "expected"), [("1", 150), ("0.6", 250), ("0.5", 300), ("0.4", None)]
)
def test_the_outage_rule_fires_at_its_closed_form(ratio: str, expected: int | None) -> None:
    error = Decimal(ratio)
    detection = outage_detection_s(OutageRule(), error)
    assert detection == expected
    cells = 60 + 60
    totals, bads = np.full((cells, 1), PER_CELL), np.zeros((cells, 1), np.int64)
    bads[60:] = int(error * PER_CELL)
    (block,) = evaluate_history(slo("0.9"), START, totals, bads)
    is_true = np.flatnonzero(block.conditions[len(WORKBOOK), :, 0] == TRUE)
    # At its ratio it is true already, unlike a burn rate.
    assert (int(block.ticks_s[is_true[0]]) - START - 600 if is_true.size else None) == expected
