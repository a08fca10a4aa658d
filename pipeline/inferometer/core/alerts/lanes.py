"""Lanes: what one receiver hears of one incident, one message after the other.

Invariants: a lane is in the order of the sequence numbers of its notices; nothing is sent while an
earlier notice of the lane is under way, so that a resolve never overtakes what it resolves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferometer.core.alerts.ledger import LedgerEntry, NoticeState, dropped
from inferometer.core.alerts.notices import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inferometer.core.alerts.receivers import Receiver

RESOLVED_FIRST = "the incident was over before this arrived"
NEVER_HEARD = "the receiver never heard of the incident"
NOT_WANTED = "the receiver wants no resolves"


def ordered(lane: Sequence[LedgerEntry]) -> list[LedgerEntry]:
    """Return the entries in the order in which they are sent."""
    return sorted(lane, key=lambda entry: (entry.notice.seq, entry.notification_id))


def head(lane: Sequence[LedgerEntry]) -> LedgerEntry | None:
    """Return the entry whose turn it is; None if all are final or one is under way."""
    for entry in lane:
        if entry.state is NoticeState.INFLIGHT:
            return None
        if not entry.state.is_final:
            return entry
    return None


def stale(lane: Sequence[LedgerEntry], receiver: Receiver, *, now_us: int) -> list[LedgerEntry]:
    """Return, as dropped, what need not be sent any more of an ordered lane.

    What waits before a resolve is stale. So is the resolve itself if the receiver heard nothing of
    the incident; an attempt without an answer counts as heard, as does a history that the ledger
    no longer holds. What somebody asked for is never stale.
    """
    if any(entry.state is NoticeState.INFLIGHT for entry in lane):
        return []
    found: list[LedgerEntry] = []
    waiting: list[LedgerEntry] = []
    is_open = bool(lane) and lane[0].notice.status is Status.RESOLVED
    for entry in lane:
        is_resolve = entry.notice.status is Status.RESOLVED
        if not is_resolve:
            is_open |= _is_heard(entry)
            if not entry.state.is_final and not entry.is_asked_for:
                waiting.append(entry)
            continue
        if not entry.state.is_final and not entry.is_asked_for:
            found += [dropped(one, reason=RESOLVED_FIRST, now_us=now_us) for one in waiting]
            if not is_open and not receiver.sends_unseen_resolved:
                found.append(dropped(entry, reason=NEVER_HEARD, now_us=now_us))
        waiting = []
        is_open = is_open and entry.state in {NoticeState.DEAD}
    return found


def _is_heard(entry: LedgerEntry) -> bool:
    return entry.state is NoticeState.DELIVERED or entry.is_maybe_delivered
