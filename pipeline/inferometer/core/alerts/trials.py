"""Messages about alerting itself: the notice that tries a receiver, and the heartbeat.

Invariant: ids are made from values, so that a message repeated is the same message.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, replace

from inferometer.core.alerts.identity import notification_id_of
from inferometer.core.alerts.notices import Family, Notice, Status, Transition
from inferometer.core.slo.definitions import Severity

SECOND_US = 1_000_000


def trial_notice(receiver: str, *, now_us: int) -> Notice:
    """Return a notice that only shows whether messages arrive at a receiver."""
    labels = {"workspace": "", "service": "inferometer", "slo": "test"}
    identity = hashlib.sha256(f"{receiver}|{now_us}".encode()).digest()
    return Notice(
        notification_id=notification_id_of("test", "test", now_us, receiver),
        receiver=receiver,
        family=Family.SYSTEM,
        transition=Transition.TEST,
        reason="test",
        incident_id=base64.b32encode(identity).decode()[:26].lower(),
        seq=1,
        episode=1,
        severity=Severity.TICKET,
        status=Status.FIRING,
        fingerprint=identity.hex()[:16],
        labels={name: value for name, value in labels.items() if value},
        annotations={"description": f"A test of the receiver {receiver}; nothing is wrong."},
        starts_at_us=now_us,
        detected_at_us=now_us,
    )


def trial_end(notice: Notice, *, now_us: int) -> Notice:
    """Return the end of a trial, for receivers in which it would stay open."""
    return replace(
        notice,
        notification_id=notification_id_of(notice.incident_id, "test", 2, notice.receiver),
        seq=2,
        status=Status.RESOLVED,
        condition_cleared_at_us=now_us,
        resolved_at_us=now_us,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """Says that alerting is alive; its absence is the alarm."""

    receiver: str
    at_us: int
    interval_s: int
    last_tick_us: int
    """The last instant that was evaluated, in event time."""

    @property
    def message_id(self) -> str:
        """Return the id: one for each interval."""
        slot = self.at_us // (self.interval_s * SECOND_US)
        return notification_id_of("heartbeat", "heartbeat", slot, self.receiver)
