"""Rows of history: everything that happened to incidents and their rules.

Invariants: the same tick gives the same rows with the same ids on every replay; a row is never
changed later.
"""

from __future__ import annotations

import enum
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

import orjson

from inferometer.core.alerts.notices import ConditionFacts, Driver, Family, WindowFacts
from inferometer.core.slo.definitions import Severity
from inferometer.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

VERSION = 1


class RecordKind(enum.StrEnum):
    """What happened; those that begin with `rule_` are about one rule of the incident."""

    PENDING = "pending"
    PENDING_DROPPED = "pending_dropped"
    RULE_FIRED = "rule_fired"
    RULE_SEVERITY_ROSE = "rule_severity_rose"
    RULE_CLEARED = "rule_cleared"
    RULE_TRUE_AGAIN = "rule_true_again"
    RULE_STALE = "rule_stale"
    RULE_FRESH = "rule_fresh"
    RULE_FLAPPING = "rule_flapping"
    RULE_RESOLVED = "rule_resolved"
    FIRING = "firing"
    """An incident opened."""
    REOPENED = "reopened"
    ESCALATED = "escalated"
    DEESCALATED = "deescalated"
    CLEARED = "cleared"
    """No rule of it is true any more; it is held for a while."""
    TRUE_AGAIN = "true_again"
    RESOLVED = "resolved"
    SUPPRESSED = "suppressed"
    UNSUPPRESSED = "unsuppressed"
    DETECTED_LATE = "detected_late"
    """It was true too long ago to tell anybody at once."""
    GROUPED = "grouped"
    """It is told together with the incident that `reason` names, under whose id notices go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitionRecord:
    """One thing that happened to one incident, or to a rule that may become one."""

    transition_id: str
    incident_id: str
    """Empty while a rule is pending and no incident is open."""
    fingerprint: str
    family: Family
    kind: RecordKind
    at_us: int
    """The tick, in event time."""
    rule: str = ""
    reason: str = ""
    severity: Severity
    episode: int = 0
    starts_at_us: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    conditions: tuple[ConditionFacts, ...] = ()
    suppressed_by: tuple[str, ...] = ()
    is_flapping: bool = False


def encode_transition(record: TransitionRecord) -> bytes:
    """Return a row as JSON."""
    return orjson.dumps({"v": VERSION, **asdict(record)}, option=orjson.OPT_SORT_KEYS)


def decode_transition(raw: bytes | str) -> TransitionRecord:
    """Return the row of `encode_transition`; raises StateError if it is none."""
    try:
        found = orjson.loads(raw)
        if found["v"] > VERSION:
            raise StateError(
                f"an alert transition of version {found['v']} was written by a newer release, "
                f"this one reads up to {VERSION}; upgrade this process"
            )
        return TransitionRecord(
            **known_fields(TransitionRecord, found)
            | {
                "family": Family(found["family"]),
                "kind": RecordKind(found["kind"]),
                "severity": Severity(found["severity"]),
                "conditions": tuple(facts_from_json(one) for one in found["conditions"]),
                "suppressed_by": tuple(found["suppressed_by"]),
            }
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StateError(
            f"a stored alert transition is malformed ({error!r}); skip this record"
        ) from error


def facts_from_json(found: Mapping[str, Any]) -> ConditionFacts:
    """Return facts of a condition from what `asdict` made of them."""
    values = known_fields(ConditionFacts, found)
    for side in ("long", "short"):
        window = found.get(side)
        values[side] = window and WindowFacts(**known_fields(WindowFacts, window))
    return ConditionFacts(**(values | {"severity": Severity(found["severity"])}))


def drivers_from_json(found: Iterable[Mapping[str, Any]]) -> tuple[Driver, ...]:
    """Return drivers from what `asdict` made of them."""
    return tuple(Driver(**known_fields(Driver, one)) for one in found)


def known_fields(kind: Any, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that a dataclass knows; a newer release may have stored more."""
    names = {one.name for one in fields(kind)}
    return {name: value for name, value in found.items() if name in names}
