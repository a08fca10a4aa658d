"""Which incidents one notice stands for, separately for each receiver.

Invariants: an incident is in one group of a receiver for as long as it is remembered, so a receiver
never hears of it under two names; a group is named after the first incident that was told,
and keeps that name when the incident is gone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inferometer.core.slo.definitions import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from inferometer.core.alerts.incidents import Incident
    from inferometer.core.alerts.policy import AlertPolicy
    from inferometer.core.alerts.routing import Destination


@dataclass(slots=True, kw_only=True)
class NoticeGroup:
    """What one receiver was told of incidents that belong together; instants are ticks."""

    key: str
    shared: str
    """What its incidents have in common."""
    receiver: str
    lead_id: str
    """The incident that it is named after: the first that was told."""
    lead_fingerprint: str
    members: dict[str, str] = field(default_factory=dict)
    """Fingerprints of incidents by id, in order of joining."""
    joined_at_s: int = 0
    """When the last member joined."""
    storm: str = ""
    """The value of the shared label, if it is a storm."""
    seq: int = 0
    """Notices so far."""
    repeats: int = 0
    is_open: bool = False
    """Whether the receiver believes that it is firing."""
    severity: Severity = Severity.TICKET
    """What the receiver was told, lowered silently when the incident's fell."""
    paged_at_s: int | None = None
    """When it was a page last, as far as the receiver knows."""
    first_told_s: int | None = None
    told_s: dict[Severity, int] = field(default_factory=dict)
    """When a notice of each severity was last sent, resolves aside."""
    told_members: dict[str, None] = field(default_factory=dict)
    """Those that the receiver was told of while it has been open."""
    withheld_by: str = ""
    """`silence` or `inhibition` while a notice is held back by it."""
    is_late: bool = False
    """Whether a notice is held back because its tick was too old."""

    @property
    def last_told_s(self) -> int | None:
        """Return when it was last told of, at any severity."""
        return max(self.told_s.values(), default=None)

    def told_at_least(self, severity: Severity) -> int | None:
        """Return when a notice at this severity or above was last sent."""
        found = [at for told, at in self.told_s.items() if told.rank >= severity.rank]
        return max(found, default=None)


@dataclass(slots=True)
class GroupBook:
    """Every group, and which of them holds an incident for a receiver."""

    groups: dict[str, NoticeGroup] = field(default_factory=dict)
    of_member: dict[tuple[str, str], str] = field(default_factory=dict)
    """Key of the group by (receiver, incident)."""
    latest: dict[str, str] = field(default_factory=dict)
    """Key of the group that newcomers join, by what they have in common."""

    def group_of(self, receiver: str, incident_id: str) -> NoticeGroup | None:
        """Return the group that holds an incident for a receiver."""
        key = self.of_member.get((receiver, incident_id))
        return None if key is None else self.groups[key]

    def join(
        self,
        incident: Incident,
        where: Destination,
        labels: Mapping[str, str],
        *,
        storm: str,
        incidents: Mapping[str, Incident],
        policy: AlertPolicy,
        tick_s: int,
    ) -> NoticeGroup:
        """Return the group of an incident for a receiver; it joins one where it has none.

        `storm` is the value of the label that many new incidents share, or empty.
        """
        found = self.group_of(where.receiver, incident.incident_id)
        if found is not None and (found.storm or not storm or found.told_s):
            return found
        if found is not None:
            self._leave(found, incident.incident_id)
        if storm:
            shared = json.dumps([where.receiver, policy.storm_label, storm], ensure_ascii=False)
        else:
            shared = _shared_by(where, labels, incident)
        group = self.groups.get(self.latest.get(shared, ""))
        if group is None or not _takes(group, incidents, policy, tick_s):
            group = self._begin(incident, where.receiver, shared, storm)
        group.members[incident.incident_id] = incident.subject.fingerprint
        group.joined_at_s = tick_s
        self.of_member[where.receiver, incident.incident_id] = group.key
        return group

    def forget(self, incident_id: str, receivers: Iterable[str]) -> None:
        """Let go of an incident that is no longer remembered."""
        for receiver in receivers:
            group = self.group_of(receiver, incident_id)
            if group is not None:
                self._leave(group, incident_id)

    def receivers(self) -> set[str]:
        """Return every receiver that a group is for."""
        return {group.receiver for group in self.groups.values()}

    def _leave(self, group: NoticeGroup, incident_id: str) -> None:
        del group.members[incident_id]
        group.told_members.pop(incident_id, None)
        del self.of_member[group.receiver, incident_id]
        if not group.members:
            del self.groups[group.key]
            if self.latest.get(group.shared) == group.key:
                del self.latest[group.shared]

    def _begin(self, incident: Incident, receiver: str, shared: str, storm: str) -> NoticeGroup:
        key = f"{shared} {incident.incident_id}"
        group = NoticeGroup(
            key=key,
            shared=shared,
            receiver=receiver,
            lead_id=incident.incident_id,
            lead_fingerprint=incident.subject.fingerprint,
            storm=storm,
        )
        self.groups[key] = group
        self.latest[shared] = key
        return group


def _takes(
    group: NoticeGroup, incidents: Mapping[str, Incident], policy: AlertPolicy, tick_s: int
) -> bool:
    if group.storm:
        return tick_s - group.joined_at_s <= policy.storm_within_s
    # A group that is over stays so: what begins now has a name of its own, and is told at once.
    return any(incidents[member].is_firing for member in group.members)


def storms_of(
    incidents: Iterable[Incident], labels: Mapping[str, Mapping[str, str]],
    policy: AlertPolicy, tick_s: int,
) -> set[str]:  # fmt: skip
    """Return values of the storm label that more new incidents share than are told apart."""
    counts: dict[str, int] = {}
    for incident in incidents:
        if not is_new(incident, policy, tick_s):
            continue
        shared = labels[incident.incident_id].get(policy.storm_label, "")
        if shared:
            counts[shared] = counts.get(shared, 0) + 1
    return {shared for shared, count in counts.items() if count > policy.storm_incidents}


def is_new(incident: Incident, policy: AlertPolicy, tick_s: int) -> bool:
    """Return whether an incident opened so lately that it counts for a storm."""
    return tick_s - incident.opened_at_s < policy.storm_within_s


def _shared_by(where: Destination, labels: Mapping[str, str], incident: Incident) -> str:
    # What is told once and stays true for weeks must not keep a group of other incidents open.
    parts = [where.receiver, incident.subject.kind, *where.group_key(labels)]
    return json.dumps(parts, ensure_ascii=False)
