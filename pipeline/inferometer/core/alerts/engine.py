"""One tick of alerting: observations in, notices and rows of history out.

Invariants: a tick is applied once, in rising order; the same ticks with the same observations give
the same transitions, in whatever order the observations stand; notices depend, beside that, only
on what is muted and on how far the tick lies behind the clock.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from inferometer.core.alerts.alert_state import AlertState
from inferometer.core.alerts.composing import compose, spokesman
from inferometer.core.alerts.conditions import Condition
from inferometer.core.alerts.grouping import is_new, storms_of
from inferometer.core.alerts.history import RecordKind
from inferometer.core.alerts.incidents import SubjectState, is_over, record_of
from inferometer.core.alerts.inhibition import SHIPPED_INHIBITIONS, inhibited
from inferometer.core.alerts.mutes import NO_MUTES
from inferometer.core.alerts.planning import Voice, decide, decide_end
from inferometer.core.alerts.policy import AlertPolicy
from inferometer.core.alerts.routing import NO_INTERVALS, ReceiverTraits, destinations
from inferometer.core.alerts.subjects import Definition, merged, split_apart
from inferometer.core.slo.definitions import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from inferometer.core.alerts.grouping import NoticeGroup
    from inferometer.core.alerts.history import TransitionRecord
    from inferometer.core.alerts.incidents import Incident
    from inferometer.core.alerts.inhibition import InhibitRule
    from inferometer.core.alerts.mutes import Mutes
    from inferometer.core.alerts.notices import Driver, Notice
    from inferometer.core.alerts.planning import Told
    from inferometer.core.alerts.routing import Intervals, Route
    from inferometer.core.alerts.subjects import Key, Observation, Subject

    DriversOf = Callable[[Subject], tuple[Driver, ...] | None]

_NO_TRAITS = ReceiverTraits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a tick brought, to be published together with the state after it."""

    notices: tuple[Notice, ...] = ()
    transitions: tuple[TransitionRecord, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moment:
    tick_s: int
    now_s: int
    mutes: Mutes
    intervals: Intervals
    drivers_of: DriversOf


def _no_drivers(_subject: Subject) -> None:
    """Know of nothing; see `DriversOf`."""


class Alerts:
    """Applies ticks to the state of alerts; see the module."""

    def __init__(
        self,
        definitions: Iterable[Definition],
        *,
        routes: Route,
        inhibitions: Sequence[InhibitRule] = SHIPPED_INHIBITIONS,
        policy: AlertPolicy | None = None,
        traits: Mapping[str, ReceiverTraits] | None = None,
        state: AlertState | None = None,
    ) -> None:
        self._definitions = {one.key: one for one in definitions}
        self._routes = routes
        self._inhibitions = tuple(inhibitions)
        self._policy = AlertPolicy() if policy is None else policy
        self._apart = replace(self._policy, reopen_s=self._policy.apart_reopen_s)
        self._traits = dict(traits or {})
        self._hushed: frozenset[Key] = frozenset()
        self.state = AlertState() if state is None else state

    def hush(self, keys: Iterable[Key]) -> None:
        """Have incidents of these definitions inhibit others, but be told and recorded elsewhere."""
        self._hushed = frozenset(keys)

    def is_hushed(self, incident: Incident) -> bool:
        """Return whether an incident is told and recorded elsewhere."""
        return incident.subject.key in self._hushed

    def watched(self) -> set[Subject]:
        """Return the subjects that need an observation at every tick, whatever their rules say."""
        return {
            subject if not subject.kind else self._whole(subject) for subject in self.state.subjects
        }

    def incidents(self) -> tuple[Incident, ...]:
        """Return every incident that is remembered, the oldest first."""
        found = self.state.incidents.values()
        return tuple(sorted(found, key=lambda one: (one.opened_at_s, _order(one.subject))))

    def receivers_of(self, incident: Incident) -> tuple[str, ...]:
        """Return the receivers that an incident goes to, told or not."""
        book = self.state.book
        found = (name for name in book.receivers() if book.group_of(name, incident.incident_id))
        return tuple(sorted(found))

    def labels_of(self, incident: Incident) -> dict[str, str]:
        """Return the labels that matchers of routes, silences and inhibition see."""
        return {
            **self._definition(incident.subject).labels,
            **incident.subject.labels,
            "severity": str(incident.severity),
            "family": str(incident.subject.family),
            "rule": "+".join(incident.rules),
        }

    def step(
        self,
        tick_s: int,
        observations: Iterable[Observation],
        *,
        now_s: int,
        mutes: Mutes = NO_MUTES,
        intervals: Intervals = NO_INTERVALS,
        drivers_of: DriversOf = _no_drivers,
    ) -> Outcome:
        """Apply one tick; one that was applied before brings nothing.

        `now_s` is the wall clock: silences are those of this instant, and a firing whose tick lies
        far behind it is told only if it lasts until the live edge. `drivers_of` is asked of what is
        told, at this tick, and returns None where observations say it already.
        """
        if self.state.last_tick_s is not None and tick_s <= self.state.last_tick_s:
            return Outcome()
        moment = _Moment(
            tick_s=tick_s, now_s=now_s, mutes=mutes, intervals=intervals, drivers_of=drivers_of
        )
        transitions = self._observe(observations, tick_s)
        labels = self._labels_of_firing()
        transitions += self._overlay(labels, moment)
        notices, late = self._plan(labels, moment)
        self._forget(tick_s)
        self.state.last_tick_s = tick_s
        return Outcome(notices=tuple(notices), transitions=(*transitions, *late))

    def _observe(self, observations: Iterable[Observation], tick_s: int) -> list[TransitionRecord]:
        seen: dict[Subject, Observation] = {}
        for subject, whole in merged(observations).items():
            for one in split_apart(whole, self._definition(subject).apart):
                if one.subject in self.state.subjects or _is_true(one):
                    seen[one.subject] = one
        records = []
        for subject in sorted(seen.keys() | self.state.subjects.keys(), key=_order):
            state = self.state.subjects.setdefault(subject, SubjectState(subject))
            definition = self._definition(subject)
            found = state.observe(
                seen.get(subject), definition.has_rule, tick_s, self._policy_of(subject)
            )
            if subject.key not in self._hushed:
                records += found
            if state.incident is not None:
                self.state.incidents[state.incident.incident_id] = state.incident
        return records

    def _labels_of_firing(self) -> dict[str, dict[str, str]]:
        firing = (one for one in self.incidents() if one.is_firing)
        return {one.incident_id: self.labels_of(one) for one in firing}

    def _overlay(
        self, labels: Mapping[str, Mapping[str, str]], moment: _Moment
    ) -> list[TransitionRecord]:
        quiet = inhibited(labels, self._inhibitions)
        records = []
        for incident_id, own in labels.items():
            incident = self.state.incidents[incident_id]
            was_muted = bool(incident.silenced_by or incident.inhibited_by)
            incident.silenced_by = moment.mutes.muted_by(own, moment.now_s)
            incident.inhibited_by = quiet.get(incident_id, ())
            is_muted = bool(incident.silenced_by or incident.inhibited_by)
            if is_muted is not was_muted and not self.is_hushed(incident):
                kind = RecordKind.SUPPRESSED if is_muted else RecordKind.UNSUPPRESSED
                reason = "silence" if incident.silenced_by else "inhibition" if is_muted else ""
                records.append(record_of(incident, kind, moment.tick_s, reason=reason))
        return records

    def _plan(
        self, labels: Mapping[str, Mapping[str, str]], moment: _Moment
    ) -> tuple[list[Notice], list[TransitionRecord]]:
        voices = self._voices(labels, moment)
        suppressed = self._suppressed_texts(labels)
        notices, late = [], []
        for key in sorted(self.state.book.groups):
            group = self.state.book.groups[key]
            was_late, known = group.is_late, len(group.told_members)
            told = self._decide(group, voices.get(key, []), moment)
            if group.is_late and not was_late:
                late += [
                    record_of(voice.incident, RecordKind.DETECTED_LATE, moment.tick_s)
                    for voice in voices[key]
                ]
            late += self._grouped(group, known, moment.tick_s)
            if told is not None:
                notices.append(self._compose(group, told, suppressed, moment))
        # Several groups of different receivers may hold the same incident.
        unique = {(record.transition_id, record.reason): record for record in late}
        return notices, list(unique.values())

    def _grouped(self, group: NoticeGroup, known: int, tick_s: int) -> list[TransitionRecord]:
        """Return rows about members that are told, since this tick, under the id of another."""
        new = list(group.told_members)[known:]
        return [
            record_of(self.state.incidents[one], RecordKind.GROUPED, tick_s, reason=group.lead_id)
            for one in new
            if one != group.lead_id
        ]

    def _voices(
        self, labels: Mapping[str, Mapping[str, str]], moment: _Moment
    ) -> dict[str, list[Voice]]:
        incidents = [self.state.incidents[incident_id] for incident_id in labels]
        storms = storms_of(incidents, labels, self._policy, moment.tick_s)
        found: dict[str, list[Voice]] = {}
        for incident in incidents:
            if self.is_hushed(incident):
                continue
            own = labels[incident.incident_id]
            storm = own.get(self._policy.storm_label, "")
            is_storm = storm in storms and is_new(incident, self._policy, moment.tick_s)
            routed = {**own, "severity": str(incident.peak)}
            extra = self._definition(incident.subject).receivers
            is_held = self._is_held(incident, own, moment)
            for where in destinations(self._routes, routed, extra):
                group = self.state.book.join(
                    incident,
                    where,
                    own,
                    storm=storm if is_storm else "",
                    incidents=self.state.incidents,
                    policy=self._policy,
                    tick_s=moment.tick_s,
                )
                is_mute_time = bool(where.muted_by_time(moment.intervals, moment.now_s))
                voice = Voice(
                    incident=incident,
                    where=where,
                    silenced=is_held or is_mute_time,
                    inhibited=bool(incident.inhibited_by),
                )
                found.setdefault(group.key, []).append(voice)
        return found

    def _is_held(self, incident: Incident, labels: Mapping[str, str], moment: _Moment) -> bool:
        if incident.silenced_by:
            return True
        if incident.severity is not Severity.PAGE:
            return False
        # Windows end at the tick, which lies behind the clock that maintenance is read on.
        behind_s = max(0, moment.now_s - moment.tick_s)
        held_s = incident.page_short_s + behind_s
        return bool(moment.mutes.pages_held_by(labels, moment.now_s, held_s))

    def _decide(self, group: NoticeGroup, voices: Sequence[Voice], moment: _Moment) -> Told | None:
        members = [self.state.incidents[one] for one in group.members]
        if any(one.is_firing for one in members):
            if not voices:
                return None
            return decide(
                group, voices, tick_s=moment.tick_s, now_s=moment.now_s, policy=self._policy
            )
        traits = self._traits.get(group.receiver, _NO_TRAITS)
        delay_s = min(traits.resolve_delay_s, self._policy.reopen_s)
        return decide_end(group, members, tick_s=moment.tick_s, delay_s=delay_s)

    def _compose(
        self,
        group: NoticeGroup,
        told: Told,
        suppressed: Mapping[str, list[str]],
        moment: _Moment,
    ) -> Notice:
        top = spokesman(told.incidents)
        if top.is_firing and (found := moment.drivers_of(top.subject)) is not None:
            # When it ends, they are those that were told.
            top.drivers = found
        texts = [text for one in told.incidents for text in suppressed.get(one.incident_id, ())]
        return compose(
            group,
            told,
            self._definition(top.subject),
            labels=[self._identity(one) for one in told.incidents],
            suppressed=texts,
            notes=moment.mutes.notes(self.labels_of(top), moment.now_s),
        )

    def _suppressed_texts(self, labels: Mapping[str, Mapping[str, str]]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for incident_id in labels:
            incident = self.state.incidents[incident_id]
            for source in incident.inhibited_by:
                name = " ".join([incident.subject.name, *(v for _, v in incident.subject.group)])
                found.setdefault(source, []).append(f"{name} ({incident.severity})")
        return found

    def _identity(self, incident: Incident) -> dict[str, str]:
        return {**self._definition(incident.subject).labels, **incident.subject.labels}

    def _definition(self, subject: Subject) -> Definition:
        found = self._definitions.get(subject.key)
        if found is not None and found.covers(subject):
            return found
        # Nothing is declared of it any more: what still fires resolves.
        return Definition(
            family=subject.family,
            workspace=subject.workspace,
            service=subject.service,
            name=subject.name,
            group_by=tuple(name for name, _ in subject.group),
            rules=frozenset(),
        )

    def _whole(self, subject: Subject) -> Subject:
        names = tuple(value for _, value in subject.group)
        return self._definition(subject).subject(names)

    def _policy_of(self, subject: Subject) -> AlertPolicy:
        return self._apart if subject.kind else self._policy

    def _forget(self, tick_s: int) -> None:
        for state in list(self.state.subjects.values()):
            state.forget(tick_s, self._policy_of(state.subject))
            if state.is_idle:
                del self.state.subjects[state.subject]
        receivers = self.state.book.receivers()
        for incident in list(self.state.incidents.values()):
            if is_over(incident, tick_s, self._policy_of(incident.subject)):
                self.state.book.forget(incident.incident_id, receivers)
                del self.state.incidents[incident.incident_id]


def _is_true(seen: Observation) -> bool:
    return any(reading.condition is Condition.TRUE for reading in seen.readings)


def _order(subject: Subject) -> tuple[str, ...]:
    parts = (part for pair in subject.group for part in pair)
    return (*subject.key, subject.kind, *parts)
