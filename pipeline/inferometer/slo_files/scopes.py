"""Names that overlap: what files declare shares one space of names in each workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferometer.core.slo.shipped_rules import shipped_rules

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inferometer.core.slo.budgets import MoneyBudget
    from inferometer.core.slo.definitions import Slo
    from inferometer.core.slo.metric_rules import MetricRule
    from inferometer.slo_files.drafts import Drafts, SloDraft
    from inferometer.slo_files.findings import Findings, Place

SHIPPED_NAMES = {(rule.workspace, rule.name) for rule in shipped_rules()}


def overlaps(sound: Sequence[SloDraft], drafts: Drafts, findings: Findings) -> set[int]:
    """Return the `id` of what is refused because its name is taken; the first one keeps it.

    Workspace and name are the identity of incidents: two of one name would share them.
    """
    taken: dict[tuple[str, str], tuple[str, Place]] = {}
    refused: set[int] = set()
    for kind, declared, place in _declared(sound, drafts):
        key = (declared.workspace, declared.name.casefold())
        # Only a rule may have the name of a shipped rule: it replaces it.
        if kind != "rule" and key in SHIPPED_NAMES:
            refused.add(id(declared))
            findings.problem(
                place,
                "the name is that of a shipped rule; give it another",
                subject=f"{kind} {declared.name}",
            )
            continue
        if key not in taken:
            taken[key] = (kind, place)
            continue
        first_kind, first_place = taken[key]
        refused.add(id(declared))
        inside = f" in workspace {declared.workspace}" if declared.workspace else ""
        findings.problem(
            place,
            f"the name{inside} is taken by a {first_kind} at {first_place}; give it another",
            subject=f"{kind} {declared.name}",
        )
    return refused


def _declared(
    sound: Sequence[SloDraft], drafts: Drafts
) -> Iterator[tuple[str, Slo | MoneyBudget | MetricRule, Place]]:
    yield from (("slo", draft.slo, draft.place) for draft in sound)
    yield from (("budget", budget, place) for budget, place in drafts.budgets)
    yield from (("rule", rule, place) for rule, place in drafts.rules)
