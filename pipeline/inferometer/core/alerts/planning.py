"""What is told to one receiver about one group at one tick, and why.

Invariants: what was told is what decides, never what was evaluated before; nothing is told of an
incident that ended unheard; who was told that it fires is told that it ended, silence or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inferometer.core.alerts.notices import Transition
from inferometer.core.slo.definitions import Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inferometer.core.alerts.grouping import NoticeGroup
    from inferometer.core.alerts.incidents import Incident
    from inferometer.core.alerts.policy import AlertPolicy
    from inferometer.core.alerts.routing import Destination


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """One firing incident as one receiver would hear of it."""

    incident: Incident
    where: Destination
    silenced: bool = False
    inhibited: bool = False

    @property
    def is_audible(self) -> bool:
        """Return whether nothing keeps it back."""
        return not (self.silenced or self.inhibited)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A notice that is due: why, about whom, and how severe."""

    transition: Transition
    reason: str
    severity: Severity
    incidents: tuple[Incident, ...]
    """In order of joining the group."""
    is_late: bool = False


def decide(
    group: NoticeGroup,
    voices: Sequence[Voice],
    *,
    tick_s: int,
    now_s: int,
    policy: AlertPolicy,
) -> Told | None:
    """Return what is due for a group that fires, and note in the group that it was told."""
    audible = [voice for voice in voices if voice.is_audible]
    if not audible:
        _withhold(group, voices)
        return None
    severity = _severity(audible)
    _follow(group, severity, tick_s, policy)
    due = _due(group, audible, severity, tick_s, policy)
    if due is None:
        if group.is_open:
            group.withheld_by, group.is_late = "", False
        return None
    transition, reason = due
    if not _is_timely(group, audible, transition, severity, tick_s, now_s, policy):
        return None
    told = Told(
        transition=transition,
        reason=reason,
        severity=severity,
        incidents=tuple(voice.incident for voice in audible),
        is_late=group.is_late,
    )
    _note(group, told, tick_s)
    return told


def decide_end(
    group: NoticeGroup,
    ended: Sequence[Incident],
    *,
    tick_s: int,
    delay_s: int,
) -> Told | None:
    """Return what is due for a group that does not fire any more, and note that it was told."""
    group.withheld_by, group.is_late = "", False
    if not group.is_open or not ended:
        return None
    last = max(ended, key=lambda one: (one.resolved_at_s or 0, one.incident_id))
    if tick_s - (last.resolved_at_s or 0) < delay_s:
        return None
    known = [one for one in ended if one.incident_id in group.told_members]
    told = Told(
        transition=Transition.RESOLVED,
        reason=str(last.resolve_reason),
        severity=max(group.told_s, key=lambda one: one.rank),
        incidents=tuple(known or ended),
    )
    group.is_open, group.first_told_s = False, None
    group.told_members = {}
    group.seq += 1
    return told


def _due(
    group: NoticeGroup,
    audible: Sequence[Voice],
    severity: Severity,
    tick_s: int,
    policy: AlertPolicy,
) -> tuple[Transition, str] | None:
    where = _strictest(audible, severity)
    repeat_s = _or(where.repeat_interval_s, policy.repeat_s(severity))
    said_at_s = group.told_at_least(severity)
    was_said = said_at_s is not None and tick_s - said_at_s < repeat_s
    if not group.is_open:
        if was_said and not _is_dire(audible, tick_s, policy):
            return None
        return _first(group, audible, severity, tick_s, policy)
    if severity.rank > group.severity.rank:
        return _named(group, Transition.ESCALATED, "severity_rose")
    if _has_joined(group, audible, where, tick_s, policy):
        return _named(group, Transition.FIRING, "members_added")
    last_s = group.last_told_s or 0
    if tick_s - last_s >= repeat_s and _may_repeat(audible, severity):
        return Transition.REPEATED, "repeat_interval"
    return None


def _first(
    group: NoticeGroup,
    audible: Sequence[Voice],
    severity: Severity,
    tick_s: int,
    policy: AlertPolicy,
) -> tuple[Transition, str] | None:
    if group.told_s:
        is_back = _is_true(audible, severity)
        return _named(group, Transition.FIRING, "reopened") if is_back else None
    where = _strictest(audible, severity)
    wait_s = _or(where.group_wait_s, policy.group_wait_s(severity))
    waited_s = tick_s - min(voice.incident.reopened_at_s for voice in audible)
    if waited_s < wait_s:
        return None
    return _named(group, Transition.FIRING, "first_notification")


def _named(group: NoticeGroup, transition: Transition, reason: str) -> tuple[Transition, str]:
    if group.withheld_by == "silence":
        return Transition.SILENCE_ENDED, "silence_ended"
    if group.withheld_by == "inhibition":
        return transition, "inhibition_ended"
    return transition, reason


def _has_joined(
    group: NoticeGroup,
    audible: Sequence[Voice],
    where: Destination,
    tick_s: int,
    policy: AlertPolicy,
) -> bool:
    new = [
        voice.incident.incident_id
        for voice in audible
        if voice.incident.incident_id not in group.told_members
    ]
    if not new:
        return False
    first_s = group.joined_at_s if group.storm else (group.first_told_s or 0)
    if tick_s - first_s <= policy.joined_within_s:
        group.told_members.update(dict.fromkeys(new))
        return False
    interval_s = _or(where.group_interval_s, policy.group_interval_s)
    return tick_s - (group.last_told_s or 0) >= interval_s


def _is_timely(
    group: NoticeGroup,
    audible: Sequence[Voice],
    transition: Transition,
    severity: Severity,
    tick_s: int,
    now_s: int,
    policy: AlertPolicy,
) -> bool:
    age_s = now_s - tick_s
    if age_s > policy.notify_age_s(severity):
        group.is_late = group.is_late or transition is not Transition.REPEATED
        return False
    if not group.is_late:
        return True
    return age_s <= policy.live_edge_s and any(voice.incident.is_true for voice in audible)


def _note(group: NoticeGroup, told: Told, tick_s: int) -> None:
    if not group.is_open:
        group.is_open, group.first_told_s = True, tick_s
    if not group.seq:
        first = told.incidents[0]
        group.lead_id, group.lead_fingerprint = first.incident_id, first.subject.fingerprint
    group.seq += 1
    group.repeats += told.transition is Transition.REPEATED
    group.severity = told.severity
    if told.severity is Severity.PAGE:
        group.paged_at_s = tick_s
    group.told_s[told.severity] = tick_s
    group.told_members.update(dict.fromkeys(one.incident_id for one in told.incidents))
    group.withheld_by, group.is_late = "", False


def _is_dire(audible: Sequence[Voice], tick_s: int, policy: AlertPolicy) -> bool:
    """Return whether most requests have failed, or been missing, for long: no flapping."""
    since = [voice.incident.dire_since_s for voice in audible]
    return any(at is not None and tick_s - at >= policy.retold_after_s for at in since)


def _follow(group: NoticeGroup, severity: Severity, tick_s: int, policy: AlertPolicy) -> None:
    """Note silently that an open group became less severe, or a page again after a short while.

    After a longer while the page is told anew: it would be another incident, if a ticket had not
    kept this one open.
    """
    if not group.is_open:
        return
    if severity is Severity.PAGE:
        was_page_s = tick_s if group.severity is severity else group.paged_at_s
        if was_page_s is not None and tick_s - was_page_s <= policy.reopen_s:
            group.severity, group.paged_at_s = severity, tick_s
    elif severity.rank < group.severity.rank:
        group.severity = severity


def _withhold(group: NoticeGroup, voices: Sequence[Voice]) -> None:
    held = [voice for voice in voices if not voice.is_audible]
    if not held:
        return
    if group.is_open and _severity(held).rank <= group.severity.rank:
        return
    is_silenced = any(voice.silenced for voice in held)
    group.withheld_by = "silence" if is_silenced else "inhibition"


def _severity(voices: Sequence[Voice]) -> Severity:
    return max((voice.incident.severity for voice in voices), key=lambda one: one.rank)


def _strictest(voices: Sequence[Voice], severity: Severity) -> Destination:
    return next(voice.where for voice in voices if voice.incident.severity is severity)


def _may_repeat(voices: Sequence[Voice], severity: Severity) -> bool:
    return _is_true([voice for voice in voices if not voice.incident.is_apart], severity)


def _is_true(voices: Sequence[Voice], severity: Severity) -> bool:
    """Return whether something so severe is true now, and not only held."""
    true = (voice.incident.true_severity for voice in voices)
    return any(found is not None and found.rank >= severity.rank for found in true)


def _or(own: int | None, default: int) -> int:
    return default if own is None else own
