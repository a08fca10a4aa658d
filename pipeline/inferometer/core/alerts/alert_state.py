"""Everything that alerting remembers between two ticks, and its snapshot.

Invariants: a snapshot restored gives the same notices from then on as the state that it was taken
of; a snapshot of a newer version is refused, not guessed at.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson

from inferometer.core.alerts.conditions import Condition
from inferometer.core.alerts.flapping import FlappingState
from inferometer.core.alerts.grouping import GroupBook, NoticeGroup
from inferometer.core.alerts.history import drivers_from_json, facts_from_json, known_fields
from inferometer.core.alerts.incidents import Incident, SubjectState
from inferometer.core.alerts.notices import BudgetFacts, Family, Status
from inferometer.core.alerts.rule_state import Phase, ResolveReason, RuleState
from inferometer.core.alerts.subjects import Subject
from inferometer.core.slo.definitions import Severity
from inferometer.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = 1


@dataclass(slots=True)
class AlertState:
    """Subjects with something to remember, incidents by id, and what receivers were told."""

    last_tick_s: int | None = None
    subjects: dict[Subject, SubjectState] = field(default_factory=dict)
    incidents: dict[str, Incident] = field(default_factory=dict)
    book: GroupBook = field(default_factory=GroupBook)

    def to_snapshot(self) -> bytes:
        """Return it as versioned JSON; equal states give equal bytes."""
        incidents = sorted(self.incidents.values(), key=lambda one: one.incident_id)
        states = sorted(self.subjects.values(), key=lambda one: _subject_key(one.subject))
        found = {
            "v": VERSION,
            "last_tick_s": self.last_tick_s,
            "incidents": [_incident_json(one) for one in incidents],
            "subjects": [_state_json(one) for one in states],
            "groups": [self.book.groups[key] for key in sorted(self.book.groups)],
            "latest": dict(sorted(self.book.latest.items())),
        }
        return orjson.dumps(found, option=orjson.OPT_NON_STR_KEYS)

    @classmethod
    def from_snapshot(cls, raw: bytes | str) -> AlertState:
        """Return the state of `to_snapshot`; raises StateError if it is none."""
        try:
            found = orjson.loads(raw)
            if found["v"] > VERSION:
                raise StateError(
                    f"alert state of version {found['v']} was written by a newer release, this "
                    f"one reads up to {VERSION}; start the newer release again"
                )
            return _state(found)
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise StateError(
                f"stored alert state is malformed ({error!r}); delete its key from the state "
                "topic to begin with none, open incidents will be told again"
            ) from error


def _subject_key(subject: Subject) -> str:
    return repr(_subject_json(subject))


def _subject_json(subject: Subject) -> list[Any]:
    return [
        str(subject.family),
        subject.workspace,
        subject.service,
        subject.name,
        [list(pair) for pair in subject.group],
        subject.kind,
    ]


def _incident_json(incident: Incident) -> dict[str, Any]:
    budget = incident.budget
    return {
        **{
            name: getattr(incident, name)
            for name in Incident.__slots__
            if name not in {"subject", "budget"}
        },
        "subject": _subject_json(incident.subject),
        "budget": budget and {**asdict(budget), "target": str(budget.target)},
    }


def _state_json(state: SubjectState) -> dict[str, Any]:
    return {
        "subject": _subject_json(state.subject),
        "rules": [state.rules[name] for name in sorted(state.rules)],
        "incident_id": state.incident and state.incident.incident_id,
    }


def _state(found: Mapping[str, Any]) -> AlertState:
    incidents = {one["incident_id"]: _incident(one) for one in found["incidents"]}
    groups = [_group(one) for one in found["groups"]]
    states = [_subject_state(one, incidents) for one in found["subjects"]]
    book = GroupBook(
        groups={group.key: group for group in groups},
        of_member={
            (group.receiver, member): group.key for group in groups for member in group.members
        },
        latest=found["latest"],
    )
    return AlertState(
        last_tick_s=found["last_tick_s"],
        subjects={state.subject: state for state in states},
        incidents=incidents,
        book=book,
    )


def _subject(found: list[Any]) -> Subject:
    family, workspace, service, name, group, kind = found
    return Subject(
        family=Family(family),
        workspace=workspace,
        service=service,
        name=name,
        group=tuple((dimension, value) for dimension, value in group),
        kind=kind,
    )


def _incident(found: Mapping[str, Any]) -> Incident:
    budget = found["budget"]
    return Incident(
        **known_fields(Incident, found)
        | {
            "subject": _subject(found["subject"]),
            "severity": Severity(found["severity"]),
            "peak": Severity(found["peak"]),
            "status": Status(found["status"]),
            "true_severity": found["true_severity"] and Severity(found["true_severity"]),
            "resolve_reason": ResolveReason(found["resolve_reason"]),
            "conditions": tuple(facts_from_json(one) for one in found["conditions"]),
            "rules": tuple(found["rules"]),
            "budget": budget and _budget(budget),
            "drivers": drivers_from_json(found["drivers"]),
            "silenced_by": tuple(found["silenced_by"]),
            "inhibited_by": tuple(found["inhibited_by"]),
        }
    )


def _budget(found: Mapping[str, Any]) -> BudgetFacts:
    return BudgetFacts(**known_fields(BudgetFacts, found) | {"target": Decimal(found["target"])})


def _subject_state(found: Mapping[str, Any], incidents: Mapping[str, Incident]) -> SubjectState:
    rules = [_rule(one) for one in found["rules"]]
    incident_id = found["incident_id"]
    return SubjectState(
        subject=_subject(found["subject"]),
        rules={rule.rule: rule for rule in rules},
        incident=None if incident_id is None else incidents[incident_id],
    )


def _rule(found: Mapping[str, Any]) -> RuleState:
    facts = found["facts"]
    flapping = found["flapping"]
    return RuleState(
        **known_fields(RuleState, found)
        | {
            "phase": Phase(found["phase"]),
            "severity": Severity(found["severity"]),
            "condition": Condition(found["condition"]),
            "resolve_reason": ResolveReason(found["resolve_reason"]),
            "facts": facts and facts_from_json(facts),
            "flapping": FlappingState(**known_fields(FlappingState, flapping)),
        }
    )


def _group(found: Mapping[str, Any]) -> NoticeGroup:
    return NoticeGroup(
        **known_fields(NoticeGroup, found)
        | {
            "severity": Severity(found["severity"]),
            "told_s": _by_severity(found["told_s"]),
        }
    )


def _by_severity(found: Mapping[str, int]) -> dict[Severity, int]:
    return {Severity(name): at_s for name, at_s in found.items()}
