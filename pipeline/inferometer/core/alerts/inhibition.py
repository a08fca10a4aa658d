"""Which incidents keep which others quiet.

Invariants: inhibition is an overlay and never changes an incident; a missing label is the empty
text; what meets both sides of a rule does not inhibit itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inferometer.core.alerts.matchers import Matcher, all_match

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class InhibitRule:
    """While something meets `source`, what meets `target` is quiet, if `equal` labels agree."""

    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...] = ()


_PAGE = Matcher("severity", "page")
_ONLY_ABSENCE = Matcher("rule", r"absence[^+]*(\+absence[^+]*)*", is_regex=True)

SHIPPED_INHIBITIONS = (
    # A page about a service says more than its tickets.
    InhibitRule(
        source=(_PAGE, Matcher("service", "", is_equal=False)),
        target=(Matcher("severity", "ticket"),),
        equal=("workspace", "service"),
    ),
    # Where a whole provider is out, each of its models is too.
    InhibitRule(
        source=(_PAGE, Matcher("provider", "", is_equal=False), Matcher("model", "")),
        target=(Matcher("model", "", is_equal=False), Matcher("provider", "", is_equal=False)),
        equal=("workspace", "provider"),
    ),
    # A broken pipeline shows no requests, whatever the traffic.
    InhibitRule(
        source=(Matcher("family", "system"),),
        target=(_ONLY_ABSENCE, Matcher("family", "system", is_equal=False)),
    ),
)


def inhibited(
    incidents: Mapping[str, Mapping[str, str]], rules: Sequence[InhibitRule]
) -> dict[str, tuple[str, ...]]:
    """Return ids of inhibited incidents with the ids of those that inhibit them.

    Takes the labels of every firing incident by id.
    """
    found: dict[str, set[str]] = {}
    for rule in rules:
        for target, sources in _by_rule(incidents, rule).items():
            found.setdefault(target, set()).update(sources)
    return {target: tuple(sorted(sources)) for target, sources in found.items()}


def _by_rule(incidents: Mapping[str, Mapping[str, str]], rule: InhibitRule) -> dict[str, list[str]]:
    both: dict[tuple[str, ...], list[str]] = {}
    only: dict[tuple[str, ...], list[str]] = {}
    targets = {name for name, labels in incidents.items() if all_match(rule.target, labels)}
    if not targets:
        return {}
    sources = {name for name, labels in incidents.items() if all_match(rule.source, labels)}
    for name in sources:
        key = _key(incidents[name], rule)
        both.setdefault(key, []).append(name)
        if name not in targets:
            only.setdefault(key, []).append(name)
    found = {}
    for name in targets:
        able = (only if name in sources else both).get(_key(incidents[name], rule))
        if able:
            found[name] = able
    return found


def _key(labels: Mapping[str, str], rule: InhibitRule) -> tuple[str, ...]:
    return tuple(labels.get(name, "") for name in rule.equal)
