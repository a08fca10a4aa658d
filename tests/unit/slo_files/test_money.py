from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from inferometer.core.alerts.matchers import Matcher
from inferometer.core.slo.budgets import SHIPPED_COST_WINDOWS, CalendarPeriod, CostRule, MoneyBudget
from inferometer.core.slo.definitions import Severity, Tier
from inferometer.core.slo.metric_rules import AdaptiveBand, Comparison, Level, parse_metric
from inferometer.slo_files import load_slo_texts

if TYPE_CHECKING:
    from inferometer.slo_files import SloFiles


def load(*lines: str) -> SloFiles:
    return load_slo_texts({"f.yaml": "\n".join(["format: inferometer.slos.v1", *lines, ""])})


def budget(*lines: str) -> SloFiles:
    return load(
        "budgets:", "  - name: month", "    amount_usd: 1000", *(f"    {line}" for line in lines)
    )


def rule(*lines: str) -> SloFiles:
    return load(
        "rules:",
        "  - name: cold",
        "    metric: cold_starts / attempts",
        *(f"    {line}" for line in lines),
    )


def problems(found: SloFiles) -> list[str]:
    return [str(problem) for problem in found.problems]


def test_the_shortest_budget_has_every_shipped_rule() -> None:
    found = budget()
    assert problems(found) == []
    assert found.budgets == (
        MoneyBudget(
            name="month",
            amount_usd=Decimal(1000),
            service="month",
            windows=dict(SHIPPED_COST_WINDOWS),
            source="f.yaml:3",
        ),
    )


def test_a_budget_carries_all_that_its_author_says() -> None:
    found = budget(
        "period: week",
        "zone: Europe/Berlin",
        "where: {model: m}",
        "group_by: team_id",
        "rules: [c1-doubling, c6-spent]",
        "windows: {c1-doubling: {ratio: 3, severity: ticket}}",
        "smallest_excess_usd: 5",
        "spent_shares: [0.8, 1]",
        "exhaustion: 12h",
        "planned: [{start: '2026-03-28', end: '2026-03-30', factor: 5, reason: sale}]",
        "tier: critical",
        "cost_responder: finops",
    )
    assert problems(found) == []
    (money,) = found.budgets
    assert (money.period, money.zone) == (CalendarPeriod.WEEK, "Europe/Berlin")
    assert money.selector == (Matcher("model", "m"),)
    assert money.rules == {CostRule.DOUBLING, CostRule.SPENT}
    window = money.window(CostRule.DOUBLING)
    assert (window.ratio, window.severity, window.long_s) == (Decimal(3), Severity.TICKET, 1800)
    assert money.smallest_excess_usd == Decimal(5)
    assert money.spent_shares == (Decimal("0.8"), Decimal(1))
    assert (money.exhaustion_s, money.tier, money.cost_responder) == (
        43_200,
        Tier.CRITICAL,
        "finops",
    )
    (planned,) = money.planned
    zone = ZoneInfo("Europe/Berlin")
    assert planned.starts_at_s == int(datetime(2026, 3, 28, tzinfo=zone).timestamp())
    # The clock jumps on the 29th: two days hold 47 hours.
    assert planned.ends_at_s - planned.starts_at_s == 47 * 3600


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("zone: Europe/Nowhere", "f.yaml:5: budget month: zone: 'Europe/Nowhere' is no IANA zone"),
        ("rules: []", "no rule is left"),
        ("rules: [c9]", "rules[0]"),
        ("spent_shares: [0.9, 0.8]", "that rise"),
        ("windows: {c6-spent: {ratio: 2}}", "c6-spent has no windows"),
        ("windows: {c1-doubling: {ratio: 1}}", "is always reached"),
        ("windows: {c1-doubling: {long: 5m}}", "the short one under the long one"),
        ("planned: [{start: '2026-03-28', end: '2026-03-28', factor: 5}]", "ends before it starts"),
        ("planned: [{start: '2026-03-28', end: '2026-03-29', factor: 0}]", "a factor is over 0"),
        ("planned: [{start: soon, end: '2026-03-29', factor: 2}]", "planned[0].start"),
        ("group_by: colour", "unknown dimension colour"),
        ("group_by: [model, model]", "named twice"),
        ("where: {modle: m}", "did you mean model?"),
        ("where: ['model=~\"a\"', 'status_class=\"5xx\"']", "would hide failures"),
        ("amount: 3", "unknown key amount; did you mean amount_usd?"),
    ],
)
def test_a_budget_that_cannot_stand_is_named(line: str, words: str) -> None:
    found = budget(line)
    assert found.budgets == ()
    assert any(words in problem for problem in problems(found)), problems(found)


def test_a_budget_of_nothing_is_refused() -> None:
    assert "an amount is over 0" in problems(load("budgets: [{name: b, amount_usd: 0}]"))[0]


def test_a_rule_carries_all_that_its_author_says() -> None:
    found = rule(
        "above: {page: 0.3, ticket: 0.05}",
        "band: {deviations: 5, zone: Europe/Berlin}",
        "window: 10m",
        "for: 20m",
        "keep_firing_for: 1h",
        "least_count: 100",
        "meta: true",
        "group_by: model",
    )
    assert problems(found) == []
    (found_rule,) = found.rules
    assert found_rule.metric == parse_metric("cold_starts / attempts")
    assert found_rule.levels == (
        Level(value=Decimal("0.05"), severity=Severity.TICKET),
        Level(value=Decimal("0.3"), severity=Severity.PAGE),
    )
    assert found_rule.band == AdaptiveBand(deviations=5.0, zone="Europe/Berlin")
    assert (found_rule.window_s, found_rule.for_s, found_rule.keep_firing_s) == (600, 1200, 3600)
    assert (found_rule.least_count, found_rule.is_meta) == (100, True)
    assert found_rule.group_by == ("model",)


@pytest.mark.parametrize(
    ("side", "comparison"),
    [
        ("above", Comparison.ABOVE),
        ("at_least", Comparison.AT_LEAST),
        ("below", Comparison.BELOW),
        ("at_most", Comparison.AT_MOST),
    ],
)
def test_a_threshold_has_a_side_and_one_number_is_a_ticket(
    side: str, comparison: Comparison
) -> None:
    (found,) = rule(f"{side}: 0.5").rules
    assert found.comparison is comparison
    assert found.levels == (Level(value=Decimal("0.5")),)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "f.yaml:3: rule cold: it has no threshold"),
        (["above: 1", "below: 2"], "f.yaml:6: rule cold: give one of"),
        (["above: 1", "window: 15s"], "f.yaml:6: rule cold: a window is a multiple of 10s"),
        (["band: {needed: 4}"], "needed is at most `of`"),
        (["band: {least_weeks: 7}"], "at most most_weeks"),
        (["above: {loud: 1}"], "above.loud"),
        (["above: x"], "write a number"),
    ],
)
def test_a_rule_that_cannot_stand_is_named(lines: list[str], words: str) -> None:
    found = rule(*lines)
    assert found.rules == ()
    assert any(words in problem for problem in problems(found)), problems(found)


def test_an_unknown_metric_says_what_can_be_written() -> None:
    (problem,) = problems(load("rules: [{name: r, metric: p99(speed), above: 1}]"))
    assert problem.startswith("f.yaml:2: rule r: metric: p99() knows no duration 'speed'")
