"""Decides what is sent to whom, when; it knows every entry of the ledger.

Invariants: time is an argument; each receiver is decided by itself, so one that is gone delays no
other; in a lane at most one notice is under way. What a method returns has been taken into the book
and is to be written to the ledger, before anything is sent because of it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from inferometer.core.alerts import lanes
from inferometer.core.alerts.endpoints import Endpoint
from inferometer.core.alerts.identity import notification_id_of
from inferometer.core.alerts.ledger import (
    REDELIVERY,
    LedgerEntry,
    NoticeState,
    dead,
    dropped,
    ended,
    is_redelivery,
    needs_fallback,
    planned,
    redelivered,
    redelivery_request,
    restored,
    started,
)
from inferometer.core.alerts.notices import Notice, Status, Transition
from inferometer.core.alerts.receivers import is_urgent
from inferometer.core.alerts.retries import SECOND_US, Attempt

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from inferometer.core.alerts.receivers import Receiver

    LaneKey = tuple[str, str]

GONE = "the endpoint is gone (410); give the receiver another address, then redeliver"
UNKNOWN_RECEIVER = "no receiver has this name; declare it, or correct the route, then redeliver"
DAY_US = 86_400 * SECOND_US


class DeliveryBook:
    """All notices with what became of them, by lane."""

    def __init__(
        self, *, receivers: Mapping[str, Receiver], at_once: int = 8, keep_days: int = 7
    ) -> None:
        self._endpoints = {
            name: Endpoint(receiver, at_once=at_once) for name, receiver in receivers.items()
        }
        self._keep_us = keep_days * DAY_US
        self._entries: dict[str, LedgerEntry] = {}
        self._lanes: dict[LaneKey, list[str]] = {}
        self._busy: set[LaneKey] = set()
        """Lanes in which something is still to be done."""

    def restore(self, entries: Iterable[LedgerEntry], *, now_us: int) -> None:
        """Take the entries of the ledger, as a new process finds them."""
        for entry in entries:
            self._take([restored(entry, now_us=now_us)])

    def plan(self, notices: Iterable[Notice], *, now_us: int) -> list[LedgerEntry]:
        """Take notices and return their entries.

        Those that are known are left alone, unless they ask for a redelivery.
        """
        found: list[LedgerEntry] = []
        for notice in notices:
            if known := self._entries.get(notice.notification_id):
                found += self._asked_again(known, notice, now_us)
                continue
            is_told = any(known.is_fallback_told for known in self._lane(_lane_of(notice)))
            fresh = [self._planned(notice, now_us)]
            if is_told and notice.status is Status.RESOLVED:
                fresh += self._for_fallback(notice, now_us)
            found += self._take(fresh)
        return found

    def settle(self, *, now_us: int) -> list[LedgerEntry]:
        """Write off what is stale or cannot be sent, and plan what fallbacks are to be told."""
        found: list[LedgerEntry] = []
        for key in sorted(self._busy):
            found += self._take(self._written_off(key, now_us))
            for entry in self._lane(key):
                if needs_fallback(entry, now_us=now_us):
                    # The copy first: if only it is written, it is planned again under the same id.
                    copies = self._for_fallback(entry.notice, now_us)
                    found += self._take([*copies, replace(entry, is_fallback_told=True)])
        return found

    def start(self, *, now_us: int) -> list[LedgerEntry]:
        """Return what is to be sent now, as under way; the most urgent first."""
        heads = [entry for key in self._busy if (entry := lanes.head(self._lane(key)))]
        due = [entry for entry in heads if entry.next_at_us <= now_us]
        due.sort(key=lambda e: (not is_urgent(e.notice), e.next_at_us, e.notification_id))
        found = []
        for entry in due:
            endpoint = self._endpoints.get(entry.notice.receiver)
            urgent = is_urgent(entry.notice)
            if endpoint is not None and endpoint.admits(now_us, is_urgent=urgent):
                endpoint.started(now_us)
                found += self._take([started(entry, now_us=now_us)])
        return found

    def finish(self, id_: str, attempt: Attempt, *, now_us: int) -> list[LedgerEntry]:
        """Take the end of an attempt; returns what became of its notice."""
        entry = self._entries[id_]
        endpoint = self._endpoints[entry.notice.receiver]
        has_recovered = endpoint.ended(attempt, now_us)
        found = self._take([ended(entry, attempt, now_us=now_us)])
        if has_recovered:
            # Not written: a restarted process keeps the times of the ledger, which are later.
            self._take(self._waiting_no_longer(entry.notice.receiver, now_us))
        return found

    def next_due_us(self) -> int | None:
        """Return when something may be started next; None if nothing waits."""
        found = []
        for key in self._busy:
            entry = lanes.head(self._lane(key))
            endpoint = self._endpoints.get(key[0])
            if entry is not None and endpoint is not None and endpoint.running < endpoint.at_once:
                ready_us = endpoint.ready_at_us(is_urgent=is_urgent(entry.notice))
                found.append(max(entry.next_at_us, ready_us))
        return min(found, default=None)

    def outdated(self, *, now_us: int) -> list[str]:
        """Return the ids of what has been final for long, which the ledger need not keep.

        The notices of an incident go together, and only after its end has been told.
        """
        return [id_ for key in self._over(now_us) for id_ in self._lanes[key]]

    def forget(self, *, now_us: int) -> list[str]:
        """Drop what is outdated, and return its ids.

        Asked with the instant of `outdated`, once the ledger has let go of it; what somebody asked
        to be sent again meanwhile stays.
        """
        ids = [id_ for key in self._over(now_us) for id_ in self._lanes.pop(key)]
        for id_ in ids:
            del self._entries[id_]
        return ids

    def entries(self, *states: NoticeState) -> list[LedgerEntry]:
        """Return the entries in these states, or all, oldest first."""
        found = [e for e in self._entries.values() if not states or e.state in states]
        return sorted(found, key=lambda entry: (entry.planned_at_us, entry.notification_id))

    def _planned(self, notice: Notice, now_us: int) -> LedgerEntry:
        entry = planned(notice, now_us=now_us)
        endpoint = self._endpoints.get(notice.receiver)
        if endpoint is None:
            return dead(entry, reason=UNKNOWN_RECEIVER, now_us=now_us)
        if not endpoint.receiver.wants(notice):
            return dropped(entry, reason=lanes.NOT_WANTED, now_us=now_us)
        return entry

    def _asked_again(self, known: LedgerEntry, notice: Notice, now_us: int) -> list[LedgerEntry]:
        endpoint = self._endpoints.get(notice.receiver)
        if endpoint is None or not is_redelivery(known, notice):
            return []
        endpoint.is_gone = False
        again = [redelivered(known, notice, now_us=now_us)]
        return self._take([*again, *self._end_again(notice, now_us)])

    def _end_again(self, notice: Notice, now_us: int) -> list[LedgerEntry]:
        """Return the end of what is over as to be sent again too: else it would stay open there."""
        last = self._lane(_lane_of(notice))[-1]
        is_end = last.notice.seq > notice.seq and last.notice.status is Status.RESOLVED
        if not is_end or not last.state.is_final or last.reason == lanes.NOT_WANTED:
            return []
        asked = redelivery_request(last.notice, token=notice.details[REDELIVERY])
        return [redelivered(last, asked, now_us=now_us)]

    def _for_fallback(self, notice: Notice, now_us: int) -> list[LedgerEntry]:
        """Return the entry of the same notice to the fallback of its receiver, if it is new."""
        endpoint = self._endpoints.get(notice.receiver)
        if endpoint is None or endpoint.receiver.fallback not in self._endpoints:
            return []
        copy = fallback_copy(notice, endpoint.receiver.fallback)
        return [] if copy.notification_id in self._entries else [self._planned(copy, now_us)]

    def _written_off(self, key: LaneKey, now_us: int) -> list[LedgerEntry]:
        endpoint = self._endpoints.get(key[0])
        lane = self._lane(key)
        if endpoint is not None and not endpoint.is_gone:
            return lanes.stale(lane, endpoint.receiver, now_us=now_us)
        reason = GONE if endpoint else UNKNOWN_RECEIVER
        waiting = [entry for entry in lane if entry.state is NoticeState.PLANNED]
        return [dead(entry, reason=reason, now_us=now_us) for entry in waiting]

    def _waiting_no_longer(self, receiver: str, now_us: int) -> list[LedgerEntry]:
        lanes_ = [self._lane(key) for key in self._busy if key[0] == receiver]
        waiting = [e for lane in lanes_ for e in lane if e.state is NoticeState.PLANNED]
        return [replace(e, next_at_us=min(e.next_at_us, now_us)) for e in waiting]

    def _over(self, now_us: int) -> list[LaneKey]:
        return [key for key in self._lanes if self._is_over(key, now_us - self._keep_us)]

    def _is_over(self, key: LaneKey, horizon_us: int) -> bool:
        if key in self._busy:
            return False
        lane = self._lane(key)
        last = lane[-1].notice
        has_ended = last.status is Status.RESOLVED or last.transition is Transition.TEST
        return has_ended and all(entry.final_at_us < horizon_us for entry in lane)

    def _lane(self, key: LaneKey) -> list[LedgerEntry]:
        return [self._entries[id_] for id_ in self._lanes.get(key, ())]

    def _take(self, entries: list[LedgerEntry]) -> list[LedgerEntry]:
        for entry in entries:
            is_new = entry.notification_id not in self._entries
            self._entries[entry.notification_id] = entry
            key = entry.lane
            if is_new:
                ids = [*self._lanes.get(key, ()), entry.notification_id]
                together = lanes.ordered([self._entries[id_] for id_ in ids])
                self._lanes[key] = [one.notification_id for one in together]
            if any(_is_busy(one) for one in self._lane(key)):
                self._busy.add(key)
            else:
                self._busy.discard(key)
        return entries


def fallback_copy(notice: Notice, receiver: str) -> Notice:
    """Return the same notice to another receiver, which is told for whom it stands in.

    Its id is the one that a route to this receiver would have given it, so nobody hears it twice.
    """
    return replace(
        notice,
        receiver=receiver,
        notification_id=notification_id_of(
            notice.incident_id, notice.transition, notice.seq, receiver
        ),
        details={**notice.details, "fallback_for": notice.receiver},
    )


def _lane_of(notice: Notice) -> LaneKey:
    return notice.receiver, notice.incident_id


def _is_busy(entry: LedgerEntry) -> bool:
    if entry.state is NoticeState.DEAD:
        return not entry.is_fallback_told
    return not entry.state.is_final
