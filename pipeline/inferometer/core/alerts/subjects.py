"""What incidents are about, what is declared of it, and what was seen of it at one tick.

Invariants: a subject is its identity labels and nothing else; it has at most one open incident.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from inferometer.core.alerts.identity import fingerprint_of
from inferometer.core.alerts.notices import Family
from inferometer.core.slo.definitions import Tier

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from inferometer.core.alerts.conditions import Reading
    from inferometer.core.alerts.notices import BudgetFacts, Driver
    from inferometer.core.slo.definitions import Slo

Key = tuple[str, str, str]
"""Family, workspace and name: what finds a definition."""
ABSENCE_PREFIX = "absence"
"""Rules whose names begin so say that expected traffic is missing."""
OUTAGE_RULE = "outage"
EXHAUSTED_RULE = "exhausted"
"""The budget of the period is gone: said once, in an incident of its own, for it stays true for
weeks and would keep any other incident open as long."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One group of one objective, budget or rule."""

    family: Family
    workspace: str
    service: str
    name: str
    group: tuple[tuple[str, str], ...] = ()
    """Dimensions and their values."""
    kind: str = ""
    """The rule, where it has incidents apart from the others."""

    @cached_property
    def labels(self) -> dict[str, str]:
        """Return the identity labels."""
        own = {"workspace": self.workspace, "service": self.service, "slo": self.name}
        return {**dict(self.group), **own}

    @cached_property
    def fingerprint(self) -> str:
        """Return the name of its series of incidents."""
        identity = {**dict(self.group), "workspace": self.workspace, "slo": self.name}
        return fingerprint_of(identity, self.kind or self.family)

    @property
    def key(self) -> Key:
        """Return what finds its definition."""
        return self.family, self.workspace, self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What is declared of all groups of an objective, budget or rule, as far as alerts need it."""

    family: Family
    workspace: str
    service: str
    name: str
    group_by: tuple[str, ...] = ()
    rules: frozenset[str] | None = None
    """Names of its rules; a firing rule that is no longer among them resolves. None: any."""
    apart: frozenset[str] = frozenset()
    """Rules that have incidents of their own, which are told once and never repeated."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Beside the identity: for matchers, for example team and tier."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    receivers: tuple[str, ...] = ()
    """Beside those that the routes choose."""
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """Return what its subjects are found by."""
        return self.family, self.workspace, self.name

    def subject(self, values: Sequence[str]) -> Subject:
        """Return the subject of one group; the values are in the order of `group_by`."""
        return Subject(
            family=self.family,
            workspace=self.workspace,
            service=self.service,
            name=self.name,
            group=tuple(zip(self.group_by, values, strict=True)),
        )

    def covers(self, subject: Subject) -> bool:
        """Return whether a subject still is one of its groups."""
        names = tuple(name for name, _ in subject.group)
        return names == self.group_by and subject.service == self.service

    def has_rule(self, rule: str) -> bool:
        """Return whether a rule is still declared."""
        if self.rules is None or rule in self.rules:
            return True
        return rule.startswith(ABSENCE_PREFIX) and ABSENCE_PREFIX in self.rules

    @classmethod
    def of_slo(cls, slo: Slo) -> Definition:
        """Return what alerts need of an objective."""
        rules = {window.name for window in slo.burn_windows} | {EXHAUSTED_RULE}
        rules |= {OUTAGE_RULE} if slo.outage else set()
        rules |= {ABSENCE_PREFIX} if slo.absence else set()
        return cls(
            family=Family.SLO,
            workspace=slo.workspace,
            service=slo.service,
            name=slo.name,
            group_by=slo.group_by,
            rules=frozenset(rules),
            apart=frozenset({EXHAUSTED_RULE}),
            labels=_labels_of(slo),
            annotations=_annotations_of(slo),
            links=_present(runbook=slo.runbook_url, dashboard=slo.dashboard_url),
            receivers=slo.receivers,
        )


def _labels_of(slo: Slo) -> dict[str, str]:
    tier = {} if slo.tier is Tier.STANDARD else {"tier": str(slo.tier)}
    return {**tier, **slo.labels}


def _annotations_of(slo: Slo) -> dict[str, str]:
    own = _present(
        description=slo.description,
        owner=slo.owner,
        cost_responder=slo.cost_responder,
        runbook_url=slo.runbook_url,
        dashboard_url=slo.dashboard_url,
    )
    return {**own, **slo.annotations}


def _present(**texts: str) -> dict[str, str]:
    return {name: text for name, text in texts.items() if text}


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What the rules say of one subject at one tick, with what a notice should tell beside."""

    subject: Subject
    readings: tuple[Reading, ...]
    budget: BudgetFacts | None = None
    drivers: tuple[Driver, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


def merged(observations: Iterable[Observation]) -> dict[Subject, Observation]:
    """Return one observation for each subject; several evaluators may speak of the same."""
    found: dict[Subject, Observation] = {}
    for seen in observations:
        before = found.get(seen.subject)
        found[seen.subject] = seen if before is None else _joined(before, seen)
    return found


def _joined(one: Observation, other: Observation) -> Observation:
    return replace(
        one,
        readings=one.readings + other.readings,
        budget=one.budget or other.budget,
        drivers=one.drivers + other.drivers,
        details={**one.details, **other.details},
    )


def split_apart(seen: Observation, apart: frozenset[str]) -> list[Observation]:
    """Return the observation without the rules that stand apart, and one for each of those."""
    if not apart or not any(reading.rule in apart for reading in seen.readings):
        return [seen]
    rest = tuple(reading for reading in seen.readings if reading.rule not in apart)
    alone = [
        replace(seen, subject=replace(seen.subject, kind=reading.rule), readings=(reading,))
        for reading in seen.readings
        if reading.rule in apart
    ]
    return [replace(seen, readings=rest), *alone]
