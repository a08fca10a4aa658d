"""A notice out of the incidents that it stands for and what is declared of them.

Invariant: a notice holds nothing but what the state of alerts held when it was due, so that the
same state gives an equal notice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inferometer.core.alerts.identity import notification_id_of
from inferometer.core.alerts.incidents import US_PER_S
from inferometer.core.alerts.notices import Notice, Status, Transition

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from inferometer.core.alerts.grouping import NoticeGroup
    from inferometer.core.alerts.incidents import Incident
    from inferometer.core.alerts.planning import Told
    from inferometer.core.alerts.subjects import Definition

MAX_SUPPRESSED = 50
"""Texts of what an incident muted; the rest is a number."""
MAX_MEMBERS = 1000
"""Incidents that are listed; the rest is a number, so that a notice fits a record of its topics
however many fail together."""


def compose(
    group: NoticeGroup,
    told: Told,
    definition: Definition,
    *,
    labels: Sequence[Mapping[str, str]],
    suppressed: Sequence[str] = (),
    notes: tuple[str, ...] = (),
) -> Notice:
    """Return the notice; `labels` are those of the incidents, in their order.

    `definition` is that of the incident which speaks for all, see `spokesman`.
    """
    top = spokesman(told.incidents)
    return Notice(
        notification_id=notification_id_of(
            group.lead_id, _transition_text(group, told), group.seq, group.receiver
        ),
        receiver=group.receiver,
        family=top.subject.family,
        transition=told.transition,
        reason=told.reason,
        incident_id=group.lead_id,
        seq=group.seq,
        episode=max(one.episode for one in told.incidents),
        severity=told.severity,
        status=_status(told),
        fingerprint=group.lead_fingerprint,
        labels=shared_labels(labels),
        annotations={"summary": _summary(top, labels), **definition.annotations},
        **_instants(told),
        budget=top.budget,
        conditions=top.conditions,
        drivers=top.drivers,
        members=tuple(dict(one) for one in labels[:MAX_MEMBERS]) if len(labels) > 1 else (),
        member_count=len(labels),
        suppressed=_cut(suppressed),
        is_detected_late=told.is_late,
        is_flapping=any(one.is_flapping for one in told.incidents),
        links=dict(definition.links),
        details=_details(told.incidents, top, definition, notes),
    )


def spokesman(incidents: Sequence[Incident]) -> Incident:
    """Return the incident whose numbers a notice shows: the most severe, then the oldest."""
    return min(incidents, key=lambda one: (-one.severity.rank, one.opened_at_s, one.incident_id))


def shared_labels(labels: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the labels that all have in common."""
    first, *rest = labels
    return {
        name: value
        for name, value in first.items()
        if all(other.get(name) == value for other in rest)
    }


def _status(told: Told) -> Status:
    return Status.RESOLVED if told.transition is Transition.RESOLVED else Status.FIRING


def _instants(told: Told) -> dict[str, Any]:
    incidents = told.incidents
    is_end = told.transition is Transition.RESOLVED
    resolved = _latest(one.resolved_at_s for one in incidents) if is_end else None
    return {
        "starts_at_us": min(one.starts_at_s for one in incidents) * US_PER_S,
        "detected_at_us": min(one.opened_at_s for one in incidents) * US_PER_S,
        "condition_cleared_at_us": _us(_cleared(incidents)),
        "resolved_at_us": _us(resolved),
    }


def _transition_text(group: NoticeGroup, told: Told) -> str:
    if told.transition is Transition.REPEATED:
        return f"repeat#{group.repeats}"
    return str(told.transition)


def _summary(top: Incident, labels: Sequence[Mapping[str, str]]) -> str:
    subject = top.subject
    where = ", ".join(f"{name}={value}" for name, value in subject.group)
    about = f"{subject.service} {subject.name}" if subject.service else subject.name
    others = f" and {len(labels) - 1} more" if len(labels) > 1 else ""
    rules = ", ".join(top.rules)
    return f"{about}{f' ({where})' if where else ''}{others}: {rules}"


def _details(
    incidents: Sequence[Incident], top: Incident, definition: Definition, notes: tuple[str, ...]
) -> dict[str, Any]:
    found: dict[str, Any] = {**definition.details, **top.details, "rules": list(top.rules)}
    if any(one.is_stale for one in incidents):
        found["data"] = "stale"
    if notes:
        found["notes"] = list(notes)
    if len(incidents) > 1:
        found["member_incident_ids"] = [one.incident_id for one in incidents[:MAX_MEMBERS]]
    return found


def _cleared(incidents: Sequence[Incident]) -> int | None:
    if any(one.cleared_at_s is None for one in incidents):
        return None
    return _latest(one.cleared_at_s for one in incidents)


def _cut(texts: Sequence[str]) -> tuple[str, ...]:
    ordered = sorted(texts)
    if len(ordered) <= MAX_SUPPRESSED:
        return tuple(ordered)
    return (*ordered[:MAX_SUPPRESSED], f"and {len(ordered) - MAX_SUPPRESSED} more")


def _latest(instants: Iterable[int | None]) -> int | None:
    return max((at for at in instants if at is not None), default=None)


def _us(at_s: int | None) -> int | None:
    return None if at_s is None else at_s * US_PER_S
