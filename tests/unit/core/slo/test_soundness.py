from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.alerts.matchers import Matcher
from inferometer.core.slo.cautions import cautions, total_outage_detections_s, traffic_objections
from inferometer.core.slo.definitions import (
    DAY_S,
    AbsenceRule,
    Availability,
    BatchIsolation,
    BurnWindow,
    Cost,
    CostPer,
    Duration,
    Latency,
    OutageRule,
    Severity,
    Slo,
)
from inferometer.core.slo.soundness import objections

FAST = BurnWindow(
    name="page-fast",
    severity=Severity.PAGE,
    long_s=3600,
    short_s=300,
    budget_share=Decimal("0.02"),
    significance=1e-3,
)
SOUND = Slo(
    name="chat-success",
    workspace="acme",
    service="chat-api",
    indicator=Availability(),
    objective=Decimal("0.999"),
    burn_windows=(FAST,),
)


def texts(slo: Slo) -> list[str]:
    return [objection.text for objection in objections(slo)]


def test_the_workbook_s_fast_page_at_three_nines_is_sound() -> None:
    assert texts(SOUND) == []


@pytest.mark.parametrize(
    ("change", "part", "words"),
    [
        ({"objective": Decimal(1)}, "objective", "leaves no budget"),
        ({"objective": Decimal("99.9")}, "objective", "write the ratio, 0.999"),
        ({"objective": Decimal(0)}, "objective", "between 0 and 1"),
        ({"name": "chat success"}, "name", "letters, digits"),
        ({"service": ""}, "service", "letters, digits"),
        ({"period_s": 3600}, "period_s", "from 1d to 90d"),
        ({"period_s": 30 * DAY_S + 1}, "period_s", "whole hours"),
        ({"group_by": ("modell",)}, "group_by", "did you mean model?"),
        ({"group_by": ("team",)}, "group_by", "did you mean team_id?"),
        ({"group_by": ("model", "model")}, "group_by", "named twice"),
        ({"selector": (Matcher("colour", "red"),)}, "selector", "known are"),
        ({"selector": (Matcher("error_type", "x"),)}, "selector", "would hide failures"),
        ({"selector": (Matcher("model", "(", is_regex=True),)}, "selector", "regular expression"),
        (
            {"selector": (Matcher("model", "(a+)+", is_regex=True),)},
            "selector",
            "may take for ever",
        ),
        ({"principal": "nobody"}, "principal", "unknown dimension"),
        ({"min_distinct_principals": 0}, "min_distinct_principals", "write 2, or 1 for off"),
        ({"min_distinct_principals": 3}, "min_distinct_principals", "write 2, or 1 for off"),
        ({"group_by": ("user_id",)}, "min_distinct_principals", "no page could ever fire"),
        (
            {"selector": (Matcher("user_id", "u"),)},
            "min_distinct_principals",
            "no page could ever fire",
        ),
        ({"indicator": Availability(bad=frozenset({"6xx"}))}, "indicator", "unknown status class"),
        ({"indicator": Availability(bad=frozenset())}, "indicator", "nothing is bad"),
        (
            {"indicator": Availability(bad=frozenset({"4xx"}))},
            "indicator",
            "both bad and excluded",
        ),
        (
            {"indicator": Latency(duration=Duration.TTFT, threshold_us=0)},
            "indicator",
            "over 0",
        ),
        (
            {"indicator": Cost(per=CostPer.REQUEST, threshold_usd=Decimal(0))},
            "indicator",
            "over 0",
        ),
        ({"indicator": BatchIsolation(allowed=Decimal(0))}, "indicator", "0.05 for 5 %"),
        (
            {"indicator": BatchIsolation(), "selector": (Matcher("traffic_class", "batch"),)},
            "selector",
            "realtime and batch alike",
        ),
        (
            {"indicator": BatchIsolation(), "group_by": ("traffic_class",)},
            "group_by",
            "cannot group",
        ),
        ({"outage": OutageRule(bad_ratio=Decimal(2))}, "outage", "is no ratio"),
        ({"outage": OutageRule(short_s=300)}, "outage", "0 < short < long"),
        ({"outage": OutageRule(short_s=15)}, "outage", "multiples of 10 s"),
        ({"outage": OutageRule(significance=0.0)}, "outage", "probability"),
        ({"absence": AbsenceRule(p_value=1.0)}, "absence", "probability"),
        ({"absence": AbsenceRule(collapse_ratio=Decimal(1))}, "absence", "under 1"),
        ({"absence": AbsenceRule(shortest_s=1)}, "absence", "at least 1m"),
        ({"keep_firing_s": -1}, "keep_firing_s", "from 0s to 1d"),
        ({"burn_windows": ()}, "burn_windows", "no rule is left"),
    ],
)
def test_what_cannot_stand_is_named_with_its_remedy(
    change: dict[str, object], part: str, words: str
) -> None:
    (objection,) = objections(replace(SOUND, **change))  # type: ignore[arg-type]  # fields of any type
    assert objection.part[0] == part
    assert words in objection.text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"short_s": 3600}, "not under its long one"),
        ({"long_s": 31 * DAY_S, "short_s": 62 * 3600}, "over the period"),
        ({"short_s": 301}, "multiple of that"),
        ({"long_s": 7 * 3600}, "multiple of that"),
        ({"long_s": 0}, "a window has a length"),
        ({"significance": 1.0}, "is no probability"),
        ({"budget_share": Decimal(0)}, "write 0.02 for 2 %"),
        ({"budget_share": Decimal("1.2")}, "write 0.02 for 2 %"),
        ({"budget_share": Decimal(2)}, "can never fire"),
        ({"name": "outage"}, "are taken"),
        ({"name": "page fast"}, "letters, digits"),
    ],
)
def test_a_window_that_cannot_stand_is_named_with_its_remedy(
    change: dict[str, object], words: str
) -> None:
    window = replace(FAST, **change)  # type: ignore[arg-type]  # fields of any type
    if change.get("long_s") == 7 * 3600:
        window = replace(window, short_s=605)
    found = objections(replace(SOUND, burn_windows=(window,)))
    assert any(words in objection.text for objection in found)
    assert {objection.part for objection in found} == {("burn_windows", 0)}


def test_two_windows_of_one_name_are_refused() -> None:
    assert "another name" in texts(replace(SOUND, burn_windows=(FAST, FAST)))[0]


def test_a_burn_rate_above_that_of_a_total_outage_can_never_fire() -> None:
    (text,) = texts(replace(SOUND, objective=Decimal("0.9")))
    assert "can never fire" in text
    assert "above 14.4" in text
    assert "burns at 10" in text
    assert "below 0.013888" in text


@given(
    st.decimals(min_value="0.5", max_value="0.9999", places=4),
    st.decimals(min_value="0.001", max_value="1", places=3),
)
def test_a_window_is_refused_for_its_burn_exactly_when_no_outage_reaches_it(
    objective: Decimal, share: Decimal
) -> None:
    slo = replace(SOUND, objective=objective, burn_windows=(replace(FAST, budget_share=share),))
    is_refused = any("can never fire" in text for text in texts(slo))
    assert is_refused == (total_outage_detections_s(slo) == {})


def test_a_total_outage_is_detected_as_the_closed_form_says() -> None:
    slo = replace(SOUND, objective=Decimal("0.95"), outage=OutageRule())
    assert total_outage_detections_s(slo) == {"page-fast": 43.2 * 60, "outage": 150.0}


def test_slow_pages_without_an_outage_rule_deserve_a_word() -> None:
    slo = replace(SOUND, objective=Decimal("0.95"))
    (caution,) = cautions(slo)
    assert "page-fast detects a total outage in 43.2 min" in caution.text
    assert cautions(replace(slo, outage=OutageRule())) == []
    assert cautions(SOUND) == []


def test_an_objective_of_tickets_alone_needs_no_word() -> None:
    ticket = replace(FAST, severity=Severity.TICKET)
    assert cautions(replace(SOUND, objective=Decimal("0.95"), burn_windows=(ticket,))) == []


def test_one_failure_that_crosses_a_threshold_deserves_a_word() -> None:
    (caution,) = cautions(SOUND, Decimal(60))
    assert "below 69.4 requests in 1h, and 60 are expected" in caution.text
    assert "low-traffic guard makes it wait" in caution.text
    assert cautions(SOUND, Decimal(70)) == []
    unguarded = replace(SOUND, low_traffic_guard=False)
    assert "turn the low-traffic guard on" in cautions(unguarded, Decimal(60))[0].text


def test_a_budget_of_less_than_one_failure_cannot_be_measured() -> None:
    (objection,) = traffic_objections(SOUND, Decimal(1))
    assert "allows 0.72 failures" in objection.text
    assert "0.998611 or less" in objection.text
    assert traffic_objections(SOUND, Decimal(2)) == []
    assert "select more traffic" in traffic_objections(SOUND, Decimal(0))[0].text


def test_a_group_for_each_of_many_values_deserves_a_word() -> None:
    slo = replace(SOUND, group_by=("pod_id",))
    assert "32 kB" in cautions(slo)[0].text
