"""Who is told: receivers with their format, address, secrets and limits, as values.

Invariant: no value here shows an address or a key when it is printed.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inferometer.core.alerts.notices import Status, Transition
from inferometer.core.secret import Secret
from inferometer.core.slo.definitions import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from inferometer.core.alerts.notices import Notice

PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue"
ALERTMANAGER_HOLD_S = 7 * 86_400


class Format(enum.StrEnum):
    """What a receiver understands."""

    STANDARD = "standard"
    """Standard Webhooks 1.0: `{type, timestamp, data}`."""
    CLOUDEVENTS = "cloudevents"
    """CloudEvents 1.0 in structured mode."""
    CLOUDEVENTS_BINARY = "cloudevents_binary"
    ALERTMANAGER_V4 = "alertmanager_v4"
    """The webhook body that Alertmanager sends."""
    ALERTMANAGER_API = "alertmanager_api"
    """POST to `/api/v2/alerts` of an Alertmanager, which then routes by its own rules."""
    PAGERDUTY_V2 = "pagerduty_v2"
    SLACK = "slack"


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """What the guard of the sender lets one receiver do beyond https to public addresses."""

    http: bool = False
    ports: frozenset[int] = frozenset()
    """Besides 443, and 80 where http is allowed."""
    networks: tuple[str, ...] = ()
    """CIDR of private networks that it may be in; metadata services stay forbidden."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """One endpoint that notices go to."""

    name: str
    format: Format = Format.STANDARD
    url: Secret = field(default_factory=lambda: Secret(""))
    signing_secrets: tuple[Secret, ...] = ()
    """`whsec_...`; two while one replaces the other: both sign every message."""
    routing_key: Secret = field(default_factory=lambda: Secret(""))
    """PagerDuty's integration key."""
    headers: Mapping[str, Secret] = field(default_factory=dict)
    permissions: Permissions = Permissions()
    ca_file: str = ""
    """Certificates that it is trusted by, instead of the system's."""
    fallback: str = ""
    """The receiver that is told too where this one does not answer."""
    sends_resolved: bool = True
    sends_unseen_resolved: bool = False
    """Whether to tell of the end of an incident whose beginning never arrived."""
    resolve_delay_s: int = 0
    """How long a resolve waits, for receivers where it is final; a new episode cancels it."""
    heartbeat_s: int | None = None
    """How often it hears that alerting is alive, for a dead man's switch."""
    handshake: bool = False
    """Whether it is asked by OPTIONS, once in a process, if events are welcome: CloudEvents."""
    max_per_minute: int | None = None
    max_alerts: int = 0
    """Most members in one message of Alertmanager's format; 0 for all."""
    title: str = ""
    """Template of the short text; "" for the usual one."""
    text: str = ""
    """Template of the long text; "" for the usual one."""
    external_url: str = ""
    """Where people find the alerts of this installation."""

    def wants(self, notice: Notice) -> bool:
        """Return whether it is told of this at all."""
        return self.sends_resolved or notice.status is not Status.RESOLVED


def fallback_problems(receivers: Iterable[Receiver]) -> list[str]:
    """Return what is wrong with the fallbacks: names that nobody has, and circles."""
    by_name = {receiver.name: receiver for receiver in receivers}
    found = []
    for receiver in by_name.values():
        seen = [receiver.name]
        while (following := by_name[seen[-1]].fallback) and following in by_name:
            if following in seen:
                found.append(
                    f"receiver {receiver.name}: its fallbacks go in a circle "
                    f"({' -> '.join([*seen, following])}); leave one out"
                )
                break
            seen.append(following)
        if receiver.fallback and receiver.fallback not in by_name:
            found.append(
                f"receiver {receiver.name}: fallback {receiver.fallback!r} is no receiver; "
                f"known are {', '.join(sorted(by_name))}"
            )
    return found


def is_urgent(notice: Notice) -> bool:
    """Return whether somebody is waiting for it: retried every minute, not every hour."""
    return notice.severity is Severity.PAGE or notice.transition is Transition.TEST
