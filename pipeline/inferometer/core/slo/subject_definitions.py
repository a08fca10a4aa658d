"""Budgets and rules on metrics as alerts see them: names, rules, people and links."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferometer.core.alerts.notices import Family
from inferometer.core.alerts.subjects import Definition
from inferometer.core.slo.budgets import CostRule
from inferometer.core.slo.cost_burn import rule_names
from inferometer.core.slo.definitions import Tier

if TYPE_CHECKING:
    from inferometer.core.slo.budgets import MoneyBudget
    from inferometer.core.slo.metric_rules import MetricRule

STATIC_RULE = "threshold"
BAND_RULE = "band"


def definition_of_budget(budget: MoneyBudget) -> Definition:
    """Return what alerts need of a budget; each threshold of C6 is told once, apart."""
    names = frozenset(rule_names(budget))
    return _definition(
        budget,
        Family.COST,
        rules=names,
        apart=frozenset(name for name in names if name.startswith(f"{CostRule.SPENT}-")),
    )


def definition_of_rule(rule: MetricRule) -> Definition:
    """Return what alerts need of a rule on a metric."""
    names = {STATIC_RULE} if rule.levels else set()
    names |= {BAND_RULE} if rule.band else set()
    family = Family.SYSTEM if rule.is_meta else Family.SLO
    if family is Family.SLO and rule.metric.unit == "usd":
        family = Family.COST
    return _definition(rule, family, rules=frozenset(names), apart=frozenset())


def _definition(
    declared: MoneyBudget | MetricRule,
    family: Family,
    *,
    rules: frozenset[str],
    apart: frozenset[str],
) -> Definition:
    tier = {} if declared.tier is Tier.STANDARD else {"tier": str(declared.tier)}
    people = {
        "description": declared.description,
        "owner": declared.owner,
        "cost_responder": declared.cost_responder,
        "runbook_url": declared.runbook_url,
        "dashboard_url": declared.dashboard_url,
    }
    links = {"runbook": declared.runbook_url, "dashboard": declared.dashboard_url}
    return Definition(
        family=family,
        workspace=declared.workspace,
        service=declared.service,
        name=declared.name,
        group_by=declared.group_by,
        rules=rules,
        apart=apart,
        labels={**tier, **declared.labels},
        annotations={**{k: v for k, v in people.items() if v}, **declared.annotations},
        links={name: url for name, url in links.items() if url},
        receivers=declared.receivers,
    )
