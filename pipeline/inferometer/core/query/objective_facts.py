"""What an incident is about, in the words of queries: which requests, and which of them are bad.

Invariant: filters never select more narrowly than the objective does; what they cannot say is in
`unsaid`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inferometer.core.query.questions import Filter, Match
from inferometer.core.slo.budgets import MoneyBudget
from inferometer.core.slo.definitions import Availability, Cost, Latency

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from decimal import Decimal

    from inferometer.core.alerts.matchers import Matcher
    from inferometer.core.slo.definitions import Slo
    from inferometer.core.slo.metric_rules import MetricRule

_US_PER_MS = 1000
_ALTERNATIVES = re.compile(r"[\w:/@-]+(?:\|[\w:/@-]+)*")
"""Patterns that match nothing but these texts; a full stop matches any character."""
_DEFAULT = Availability()


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveFacts:
    """One objective, budget or rule as an investigation needs it."""

    name: str
    workspace: str
    service: str
    description: str = ""
    owner: str = ""
    links: Mapping[str, str] = field(default_factory=dict)
    filters: tuple[Filter, ...] = ()
    """The selector."""
    bad_classes: frozenset[str] = _DEFAULT.bad
    excluded_classes: frozenset[str] = _DEFAULT.excluded
    """Classes of status that are no valid requests."""
    duration: str = ""
    """A request is bad if this is over `slow_over_ms`; empty where status decides."""
    slow_over_ms: float | None = None
    is_about_cost: bool = False
    metric: str = ""
    """Of a rule on a metric that is no money: its number is what is wrong, not failing requests."""
    objective: Decimal | None = None
    unsaid: tuple[str, ...] = ()
    """Matchers that no filter can express."""


def facts_of(declared: Slo | MoneyBudget | MetricRule) -> ObjectiveFacts:
    """Return the facts of anything that an SLO file declares."""
    filters, unsaid = filters_of(declared.selector)
    indicator = getattr(declared, "indicator", _DEFAULT)
    by_status = indicator if isinstance(indicator, Availability) else _DEFAULT
    latency = indicator if isinstance(indicator, Latency) else None
    return ObjectiveFacts(
        name=declared.name,
        workspace=declared.workspace,
        service=declared.service,
        description=declared.description,
        owner=declared.owner,
        links=_links(declared),
        filters=filters,
        bad_classes=by_status.bad,
        excluded_classes=by_status.excluded,
        duration="" if latency is None else str(latency.duration),
        slow_over_ms=None if latency is None else latency.threshold_us / _US_PER_MS,
        is_about_cost=isinstance(indicator, Cost) or _is_money(declared),
        metric="" if _is_money(declared) else str(getattr(declared, "metric", "")),
        objective=getattr(declared, "objective", None),
        unsaid=unsaid,
    )


def filters_of(matchers: Iterable[Matcher]) -> tuple[tuple[Filter, ...], tuple[str, ...]]:
    """Return the filters that say what matchers do, and the matchers that none can say."""
    filters: list[Filter] = []
    unsaid: list[str] = []
    for matcher in matchers:
        match = Match.IS if matcher.is_equal else Match.IS_NOT
        if not matcher.is_regex:
            filters.append(Filter(matcher.name, match, (matcher.value,)))
        elif _ALTERNATIVES.fullmatch(matcher.value):
            filters.append(Filter(matcher.name, match, tuple(matcher.value.split("|"))))
        else:
            unsaid.append(str(matcher))
    return tuple(filters), tuple(unsaid)


def group_filters(labels: Mapping[str, str], dimensions: Iterable[str]) -> tuple[Filter, ...]:
    """Return the filters of an incident's group: its labels that are dimensions."""
    known = frozenset(dimensions)
    return tuple(
        Filter(name, Match.IS, (value,)) for name, value in sorted(labels.items()) if name in known
    )


def _is_money(declared: Slo | MoneyBudget | MetricRule) -> bool:
    if isinstance(declared, MoneyBudget):
        return True
    metric = getattr(declared, "metric", None)
    return metric is not None and metric.unit == "usd"


def _links(declared: Slo | MoneyBudget | MetricRule) -> dict[str, str]:
    links = {"runbook": declared.runbook_url, "dashboard": declared.dashboard_url}
    return {name: url for name, url in links.items() if url}
