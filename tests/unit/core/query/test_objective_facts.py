from __future__ import annotations

from decimal import Decimal

from inferometer.core.alerts.matchers import Matcher
from inferometer.core.query.objective_facts import facts_of, filters_of, group_filters
from inferometer.core.query.questions import Filter, Match
from inferometer.core.slo.budgets import MoneyBudget
from inferometer.core.slo.definitions import Availability, Duration, Latency, Slo
from inferometer.core.slo.shipped_rules import UNIT_COST_BAND, UNPRICED


def slo(indicator: Availability | Latency, *selector: Matcher) -> Slo:
    return Slo(
        name="chat", workspace="acme", service="chat-api", indicator=indicator,
        objective=Decimal("0.999"), selector=selector, runbook_url="https://runbooks.test/chat",
    )  # fmt: skip


def test_an_availability_objective_says_which_classes_are_bad() -> None:
    facts = facts_of(slo(Availability(bad=frozenset({"5xx"}), excluded=frozenset({"4xx"}))))
    assert facts.bad_classes == {"5xx"}
    assert facts.excluded_classes == {"4xx"}
    assert facts.links == {"runbook": "https://runbooks.test/chat"}


def test_a_latency_objective_says_what_is_too_slow() -> None:
    facts = facts_of(slo(Latency(duration=Duration.TTFT, threshold_us=2_000_000)))
    assert (facts.duration, facts.slow_over_ms) == ("ttft", 2000)


def test_a_budget_is_about_cost() -> None:
    assert facts_of(MoneyBudget(name="month", amount_usd=Decimal(100))).is_about_cost


def test_a_rule_names_its_metric_unless_that_is_money() -> None:
    unpriced, unit_cost = facts_of(UNPRICED), facts_of(UNIT_COST_BAND)
    assert (unpriced.metric, unpriced.is_about_cost) == ("unpriced_requests / attempts", False)
    assert (unit_cost.metric, unit_cost.is_about_cost) == ("", True)


def test_matchers_become_filters_as_far_as_filters_go() -> None:
    filters, unsaid = filters_of(
        [
            Matcher("model", "m-large"),
            Matcher("region", "eu|us", is_regex=True, is_equal=False),
            Matcher("team_id", "team-.*", is_regex=True),
            Matcher("model_version", "1.2", is_regex=True),
        ]
    )
    assert filters == (
        Filter("model", Match.IS, ("m-large",)),
        Filter("region", Match.IS_NOT, ("eu", "us")),
    )
    assert unsaid == ('team_id=~"team-.*"', 'model_version=~"1.2"')


def test_only_labels_that_are_dimensions_filter() -> None:
    labels = {"slo": "chat", "workspace": "acme", "model": "m-large", "tier": "critical"}
    assert group_filters(labels, {"model", "region"}) == (Filter("model", Match.IS, ("m-large",)),)
