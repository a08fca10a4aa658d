"""Evaluation tick by tick: guards, unknown, budgets, what is told of a group."""

from __future__ import annotations

import pytest

from inferometer.core.slo.burn_evaluation import EXHAUSTED, OUTAGE, SloEvaluator
from inferometer.core.slo.definitions import DAY_S, MINUTE_S, Severity, Weighting
from inferometer.errors import StateError
from tests.unit.core.slo.scenes import (
    START,
    at_end,
    conditions,
    filled,
    severity,
    slo,
)


def test_an_outage_makes_every_rule_true_and_says_with_which_numbers() -> None:
    evaluation = at_end(slo(), (2160, 100, 0), (30, 100, 100))
    fast = evaluation.readings(0)[0]
    assert conditions(evaluation)["page-fast"] == "TRUE"
    assert fast.severity is Severity.PAGE
    assert fast.keep_firing_s == 5 * MINUTE_S
    assert fast.facts is not None
    assert fast.facts.long is not None
    assert fast.facts.short is not None
    assert (fast.facts.long.bad, fast.facts.long.total) == (3000, 36_000)
    assert (fast.facts.short.bad, fast.facts.short.total) == (3000, 3000)
    assert fast.facts.short.burn == pytest.approx(1000)
    assert fast.facts.threshold == pytest.approx(14.4)
    assert fast.facts.p_value == pytest.approx(0, abs=1e-12)


def test_a_window_without_requests_is_unknown_not_false() -> None:
    evaluation = at_end(slo(), (2160, 100, 0), (2160, 0, 0))
    assert conditions(evaluation)["page-fast"] == "UNKNOWN"
    assert conditions(evaluation)[OUTAGE] == "UNKNOWN"


def test_a_false_long_window_is_false_whatever_the_short_one_lacks() -> None:
    evaluation = at_end(slo(), (360, 100, 0), (30, 0, 0))
    assert conditions(evaluation)["page-fast"] == "FALSE"


def test_a_gap_in_the_counts_keeps_a_pair_from_being_false() -> None:
    evaluation = at_end(slo(), (2160, 100, 0), (60, 100, 50), (31, 0, 0))
    assert conditions(evaluation)["page-fast"] == "UNKNOWN"


def test_a_ratio_at_its_threshold_is_not_above_it() -> None:
    equal = at_end(slo(), (330, 1000, 0), (29, 1000, 176), (1, 1000, 80))
    above = at_end(slo(), (330, 1000, 0), (29, 1000, 176), (1, 1000, 81))
    assert conditions(equal)["page-fast"] == "FALSE"
    assert conditions(above)["page-fast"] == "TRUE"


def test_one_failure_on_a_quiet_service_is_a_ticket_not_a_page() -> None:
    evaluation = at_end(slo(), *[(35, 0, 0), (1, 1, 0)] * 70, (1, 1, 1))
    assert conditions(evaluation)["page-fast"] == "TRUE"
    assert severity(evaluation, "page-fast") is Severity.TICKET


def test_the_only_request_of_an_hour_wakes_nobody_when_it_fails() -> None:
    evaluation = at_end(slo("0.9999"), (2160, 100, 0), (360, 0, 0), (1, 1, 1))
    assert conditions(evaluation)["page-fast"] == "TRUE"
    assert severity(evaluation, "page-fast") is Severity.TICKET


def test_one_failure_pages_where_the_guard_is_off() -> None:
    unguarded = slo(low_traffic_guard=False)
    evaluation = at_end(unguarded, *[(35, 0, 0), (1, 1, 0)] * 70, (1, 1, 1))
    assert severity(evaluation, "page-fast") is Severity.PAGE


def test_after_a_cold_start_chance_is_unknown_even_without_the_guard() -> None:
    evaluation = at_end(slo(low_traffic_guard=False), (5, 1, 0), (1, 1, 1))
    assert conditions(evaluation)["page-fast"] == "UNKNOWN"


def test_after_a_cold_start_an_outage_fires() -> None:
    assert conditions(at_end(slo(), (6, 100, 50)))["page-fast"] == "TRUE"


def test_one_caller_gets_a_ticket() -> None:
    evaluation = at_end(slo(), (2160, 1, 0), (1, 40, 40), low=7, high=7)
    assert conditions(evaluation)["page-fast"] == conditions(evaluation)[OUTAGE] == "TRUE"
    assert severity(evaluation, "page-fast") is Severity.TICKET
    assert severity(evaluation, OUTAGE) is Severity.TICKET


@pytest.mark.parametrize("hashes", [{"low": 7, "high": 8}, {}], ids=["two", "nobody known"])
def test_several_callers_or_unknown_ones_get_a_page(hashes: dict[str, int]) -> None:
    evaluation = at_end(slo(), (2160, 1, 0), (1, 40, 40), **hashes)
    assert severity(evaluation, "page-fast") is Severity.PAGE


def test_one_caller_pages_where_that_guard_is_off() -> None:
    alone = slo(min_distinct_principals=1)
    evaluation = at_end(alone, (2160, 1, 0), (1, 40, 40), low=7, high=7)
    assert severity(evaluation, "page-fast") is Severity.PAGE


def test_the_outage_rule_fires_at_half_and_never_below() -> None:
    at_half = at_end(slo("0.95"), (60, 10_000, 5_000))
    below = at_end(slo("0.95"), (60, 10_000, 4_999))
    assert conditions(at_half)[OUTAGE] == "TRUE"
    assert conditions(below)[OUTAGE] == "FALSE"


@pytest.mark.parametrize(("failures", "expected"), [(2, "FALSE"), (3, "TRUE")])
def test_an_outage_needs_three_failures(failures: int, expected: str) -> None:
    evaluation = at_end(slo(), (60, 0, 0), (1, failures, failures))
    assert conditions(evaluation)[OUTAGE] == expected


def test_a_budget_is_exhausted_once_a_period() -> None:
    evaluator = filled(slo(), (8640, 100, 0), (270, 100, 100), (1, 100, 0))
    tick = START + 10 * 8911
    evaluation = evaluator.evaluate(tick)
    assert conditions(evaluation)[EXHAUSTED] == "TRUE"
    assert evaluation.budget(0).remaining < 0
    assert evaluation.budget(0).exhausts_in_s == 0
    evaluator.rings.add([0], [tick], [10**8], [0])
    assert conditions(evaluator.evaluate(tick + 10))[EXHAUSTED] == "FALSE"
    evaluator.rings.add([0], [tick + 10], [10**8], [10**7])
    assert conditions(evaluator.evaluate(tick + 20))[EXHAUSTED] == "FALSE"


def test_the_first_failure_of_a_young_group_leaves_most_of_its_budget() -> None:
    evaluation = at_end(slo(), (6, 1, 0), (1, 1, 1))
    assert conditions(evaluation)[EXHAUSTED] == "FALSE"
    assert evaluation.budget(0).remaining > 0.95


def test_what_is_left_of_a_budget_is_told_with_the_time_that_it_lasts() -> None:
    evaluation = at_end(slo(), (3 * 8640, 100, 0), (180, 100, 20))
    budget = evaluation.budget(0)
    allowed = 30 * 8640 * 100 * 0.001
    burn = 3600 / ((3 * 8640 + 61) * 100) / 0.001
    assert budget.remaining == pytest.approx(1 - 3600 / allowed)
    assert budget.exhausts_in_s == pytest.approx(budget.remaining * 30 * DAY_S / burn, rel=0.01)


def test_the_longest_unknown_budget_is_whole() -> None:
    assert at_end(slo(), (6, 0, 0)).budget(0).remaining == 1.0


def test_weighed_by_the_budget_few_failures_at_night_are_not_urgent() -> None:
    day, night = (2160, 1000, 0), (360, 10, 1)
    plain, weighed = (at_end(slo(weighting=weighting), day, night) for weighting in Weighting)
    assert conditions(plain)["page-fast"] == "TRUE"
    assert conditions(weighed)["page-fast"] == "FALSE"


def test_weighed_by_the_budget_a_peak_counts_for_more() -> None:
    night, peak = (2160, 100, 0), (360, 10_000, 60)
    plain, weighed = (at_end(slo(weighting=weighting), night, peak) for weighting in Weighting)
    assert conditions(plain)["page-fast"] == "FALSE"
    assert conditions(weighed)["page-fast"] == "TRUE"
    facts = weighed.readings(0)[0].facts
    assert facts is not None
    assert facts.long is not None
    assert facts.long.total == 3_600_000
    assert facts.long.burn > 14.4


@pytest.mark.parametrize(("factor", "expected"), [(1000, "FALSE"), (0.001, "TRUE"), (1, "TRUE")])
def test_a_forecast_moves_the_weight_tenfold_at_most(factor: float, expected: str) -> None:
    evaluator = filled(slo(weighting=Weighting.BUDGET), (2160, 100, 0), (360, 100, 3))
    forecast = 30 * 8640 * 100 * factor
    evaluation = evaluator.evaluate(START + 25_200, expected=[forecast])
    assert conditions(evaluation)["page-fast"] == expected
    facts = evaluation.readings(0, with_facts=True)[0].facts
    assert facts is not None
    assert facts.long is not None
    assert facts.long.burn == pytest.approx(30 / max(0.1, min(10, factor)), rel=0.01)


def test_an_outage_is_not_weighed() -> None:
    evaluation = at_end(slo(weighting=Weighting.BUDGET), (2160, 10_000, 0), (31, 10, 10))
    assert conditions(evaluation)[OUTAGE] == "TRUE"
    facts = next(r.facts for r in evaluation.readings(0) if r.rule == OUTAGE)
    assert facts is not None
    assert facts.value == 1.0


def test_groups_that_change_are_found() -> None:
    evaluator = filled(slo(), (2160, 100, 0))
    first = evaluator.evaluate(START + 21_600)
    evaluator.rings.add([0], [START + 21_600], [100], [100])
    second = evaluator.evaluate(START + 21_610)
    evaluator.rings.add([0], [START + 21_610], [100], [100])
    assert evaluator.rings.new_group() == 1
    third = evaluator.evaluate(START + 21_620)
    assert first.changed_groups(None).tolist() == [0]
    assert second.true_groups().tolist() == [] == second.changed_groups(first).tolist()
    assert third.changed_groups(second).tolist() == [1]


def test_time_never_falls() -> None:
    evaluator = filled(slo(), (1, 1, 0))
    evaluator.evaluate(START + 10)
    with pytest.raises(StateError, match="is before"):
        evaluator.evaluate(START)
    with pytest.raises(StateError, match="no multiple"):
        evaluator.evaluate(START + 15)


@pytest.mark.parametrize(("group", "total", "bad"), [(1, 1, 0), (0, 1, 2), (0, 1, -1)])
def test_wrong_counts_are_refused(group: int, total: int, bad: int) -> None:
    with pytest.raises(StateError):
        filled(slo(), (1, 1, 0)).rings.add([group], [START], [total], [bad])


def test_a_forgotten_group_leaves_nothing_to_the_next_one() -> None:
    evaluator = filled(slo(), (2160, 100, 100), low=3, high=4)
    evaluator.evaluate(START + 21_600)
    evaluator.rings.add([0], [START + 30_000], [5], [5])
    evaluator.forget(0)
    assert evaluator.rings.new_group() == 0
    fresh = SloEvaluator(slo())
    fresh.rings.new_group()
    fresh.evaluate(START + 21_600)
    assert evaluator.snapshot(0) == fresh.snapshot(0)


def test_state_of_a_group_stays_under_32_kb() -> None:
    evaluator = SloEvaluator(slo())
    assert evaluator.rings.bytes_per_group() <= 32_000
