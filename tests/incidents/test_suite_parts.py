"""The suite's own parts: labels against its table, generator, scoring, closed forms."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from tests.incidents import closed_form, export, generator, oracle, reference, scoring
from tests.incidents.labels import Label, budget_label, ratio_label
from tests.incidents.scenario import CELL_S, ORIGIN_S, Case, suite
from tests.incidents.scoring import Episode, Heard, Share
from tests.incidents.windows import cell_of_tick, tick_s, window_sums

CASES = [case for scenario in suite().scenarios for case in scenario.cases]


def named(key: str) -> Case:
    return next(case for case in CASES if case.key == key)


def test_all_forty_scenarios_are_there() -> None:
    assert [each.id for each in suite().scenarios] == [f"INC-{n:02}" for n in range(1, 41)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
def test_a_label_says_what_the_table_says(case: Case) -> None:
    assert ratio_label(case).verdict == case.truth


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
def test_the_label_by_budget_differs_where_traffic_is_uneven_only(case: Case) -> None:
    if case.budget_truth is not None:
        assert budget_label(case).verdict == case.budget_truth
    elif case.family not in {"traffic", "hang"}:
        assert budget_label(case).verdict == case.truth


def test_a_run_is_the_same_whenever_it_is_made() -> None:
    case = named("INC-03")
    first, again, other = (generator.sample(case, run) for run in (4, 4, 5))
    assert (first.total == again.total).all()
    assert (first.low == again.low).all()
    assert (first.total != other.total).any()


def test_fluid_counts_are_exact() -> None:
    case = named("INC-04")
    trace = generator.fluid(case)
    inside = (case.starts_s - ORIGIN_S) // CELL_S
    assert trace.total.min() == trace.total.max() == 100_000
    assert trace.bad[inside] == 5_000
    assert trace.bad[inside - 1] == 10


def test_lost_counts_are_zero_and_not_all_good() -> None:
    case = named("INC-24")
    trace = generator.sample(case, 0)
    gap = cell_of_tick(case.starts_s + 900)
    assert trace.total[gap] == 0
    assert trace.total[gap + 60] > 0


def test_events_add_up_to_their_counts() -> None:
    case = named("INC-10")
    trace = generator.sample(case, 0)
    from_s = case.starts_s - 60
    cells = (from_s - ORIGIN_S) // CELL_S
    rows = list(export.events(case, trace, 0, from_s=from_s, until_s=from_s + 120))
    counted = np.zeros((12, 2), np.int64)
    for row in rows:
        cell = (row["ts_end"] // 1_000_000 - from_s) // CELL_S
        counted[cell] += (1, row["status_code"] >= 500)
    assert (counted[:, 0] == trace.total[cells : cells + 12]).all()
    assert (counted[:, 1] == trace.bad[cells : cells + 12]).all()
    assert rows == sorted(rows, key=lambda row: row["ts_end"])
    assert len({row["event_id"] for row in rows}) == len(rows)


@pytest.mark.parametrize(
    ("error", "detects_min"),
    [(1.0, 0.86), (0.5, 1.73), (0.2, 4.32), (0.15, 5.76), (0.1, 8.64), (0.05, 17.28), (0.02, 43.2)],
)
def test_the_closed_form_gives_the_published_times(error: float, detects_min: float) -> None:
    fast = closed_form.WORKBOOK[0]
    found = closed_form.detection_s(fast, Fraction(1, 1000), Fraction(str(error)), 10**6)
    assert found is not None
    assert float(found) / 60 == pytest.approx(detects_min, abs=0.005)


def test_the_reference_fires_at_the_closed_form_on_exact_counts() -> None:
    case = named("INC-03")
    heard = reference.hear(case, generator.fluid(case))
    fast = closed_form.WORKBOOK[0]
    exact = closed_form.detection_s(
        fast, Fraction(1, 1000), Fraction(15, 100), case.incident_s, baseline=Fraction(1, 10_000)
    )
    assert exact is not None
    assert heard.pages[0].starts_s - case.starts_s == closed_form.first_tick_above_s(exact)


def test_windows_are_sums_of_their_cells() -> None:
    trace = generator.sample(named("INC-19 30 min"), 0)
    sums = window_sums(trace, 3600)
    assert sums.total[5] == trace.total[:6].sum()
    assert sums.total[1000] == trace.total[641:1001].sum()
    assert cell_of_tick(tick_s(77)) == 77


def test_episodes_join_across_a_hold_only() -> None:
    fires = np.array([0, 1, 1, 0, 0, 1, 0, 1], np.bool_)
    apart = scoring.episodes(fires, 0)
    assert [each.starts_s for each in apart] == [tick_s(1), tick_s(5), tick_s(7)]
    assert len(scoring.episodes(fires, 0, keep_firing_s=10)) == 2
    assert scoring.episodes(fires, 2)[0] == Episode(tick_s(2), tick_s(3))


def label(page: str, verdict: str) -> Label:
    return Label(
        id="x", family="x", starts_s=1000, ends_s=2000, verdict=verdict, page=page,
        share_1h=0, share_6h=0, share_1d=0, share_3d=0, expected_bad=100,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("page", "verdict", "expected"),
    [
        ("yes", "page", (1, 1, 0)),
        ("no", "none", (0, 2, 0)),
        ("dont_care", "ticket", (0, 1, 1)),
    ],
)
def test_an_episode_is_true_false_or_dropped(
    page: str, verdict: str, expected: tuple[int, int, int]
) -> None:
    heard = Heard(pages=(Episode(1100, 1500), Episode(90_000, 90_100)))
    found = scoring.score(label(page, verdict), [heard], 86_400)
    assert (found.true_pages, found.false_pages, found.dropped_pages) == expected


def test_wilson_intervals_match_the_textbook() -> None:
    low, high = Share(9, 10).interval
    assert low == pytest.approx(0.5958, abs=1e-4)
    assert high == pytest.approx(0.9821, abs=1e-4)
    assert math.isnan(Share(0, 0).value)
    assert Share(30, 30).interval[1] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("total", "fewest"), [(10, 2), (50, 3), (100, 3), (200, 4), (500, 5), (1000, 6), (5000, 14)]
)
def test_the_oracle_needs_as_many_failures_as_published(total: int, fewest: int) -> None:
    assert oracle.tail(fewest, total, 0.001) <= 1e-3 < oracle.tail(fewest - 1, total, 0.001)
