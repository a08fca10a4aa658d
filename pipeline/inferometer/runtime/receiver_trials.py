"""Tries receivers out, and sends notices again that were given up."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inferometer.core.alerts.ledger import NoticeState, redelivery_request
from inferometer.core.alerts.notice_codec import encode_notice
from inferometer.core.alerts.receivers import Format
from inferometer.core.alerts.retries import Verdict, judge
from inferometer.core.alerts.trials import trial_end, trial_notice
from inferometer.errors import ConfigError
from inferometer.kafka.notification_topics import NotificationTopics
from inferometer.runtime.alert_setup import member_settings, topic_names
from inferometer.runtime.clock import now_us
from inferometer.webhooks.receivers_file import ReceiversFile, load_receivers_file
from inferometer.webhooks.sender import GuardedSender

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inferometer.config import Settings
    from inferometer.core.alerts.ledger import LedgerEntry
    from inferometer.core.alerts.receivers import Receiver
    from inferometer.core.alerts.retries import Attempt

HELD_OPEN = frozenset({Format.PAGERDUTY_V2, Format.ALERTMANAGER_API})
"""Receivers in which what fires stays open: a test there is ended as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """How a receiver did."""

    receiver: str
    is_good: bool
    said: str
    """For people: what it answered, or what went wrong."""
    took_ms: int


def receivers_of(settings: Settings, environ: Mapping[str, str]) -> ReceiversFile:
    """Read the receivers. Raises ConfigError with every problem of their file."""
    path = settings.alerts.receivers_file
    if path is None:
        raise ConfigError(["alerts.receivers_file: no receivers; name their file (--receivers)"])
    found = load_receivers_file(path, environ=environ)
    if found.problems:
        raise ConfigError(list(found.problems))
    return found


def try_receivers(
    settings: Settings, environ: Mapping[str, str], names: Sequence[str]
) -> list[Trial]:
    """Send each of these receivers a notice that says it is a test; none: to all.

    Raises ConfigError if the file has problems or a name is no receiver's.
    """
    receivers = receivers_of(settings, environ).receivers
    unknown = [name for name in names if name not in receivers]
    if unknown:
        known = ", ".join(sorted(receivers))
        raise ConfigError([f"{name} is no receiver; known are {known}" for name in unknown])
    chosen = [receivers[name] for name in names or receivers]
    sender = GuardedSender(clock_us=now_us)

    async def run() -> list[Trial]:
        return await asyncio.gather(*(_tried(sender, receiver) for receiver in chosen))

    return asyncio.run(run())


async def _tried(sender: GuardedSender, receiver: Receiver) -> Trial:
    notice = trial_notice(receiver.name, now_us=now_us())
    attempt = await sender.send(receiver, notice)
    if receiver.format in HELD_OPEN and judge(attempt) is Verdict.DELIVERED:
        attempt = await sender.send(receiver, trial_end(notice, now_us=now_us()))
    return Trial(
        receiver=receiver.name,
        is_good=judge(attempt) is Verdict.DELIVERED,
        said=_said(attempt),
        took_ms=attempt.took_us // 1000,
    )


def _said(attempt: Attempt) -> str:
    return attempt.detail or f"answered {attempt.status}"


def dead_letters(settings: Settings) -> list[LedgerEntry]:
    """Return the notices that were given up, oldest first. Raises BrokerError, StateError."""

    async def run() -> list[LedgerEntry]:
        async with _topics(settings) as topics:
            return _dead(await topics.entries())

    return asyncio.run(run())


def redeliver(settings: Settings, ids: Sequence[str]) -> list[str]:
    """Ask whoever delivers to send final notices again; no ids: all that were given up.

    Returns the ids that were found. Raises BrokerError, StateError.
    """
    token = str(now_us())

    async def run() -> list[str]:
        async with _topics(settings) as topics:
            entries = await topics.entries()
            wanted = set(ids)
            chosen = [
                entry
                for entry in (entries if ids else _dead(entries))
                if entry.state.is_final and (not ids or entry.notification_id in wanted)
            ]
            requests = [redelivery_request(entry.notice, token=token) for entry in chosen]
            await topics.send(
                topics.named.notices,
                [(one.incident_id.encode(), encode_notice(one)) for one in requests],
            )
            return [one.notification_id for one in requests]

    return asyncio.run(run())


def _dead(entries: Sequence[LedgerEntry]) -> list[LedgerEntry]:
    found = [entry for entry in entries if entry.state is NoticeState.DEAD]
    return sorted(found, key=lambda entry: (entry.final_at_us, entry.notification_id))


def _topics(settings: Settings) -> NotificationTopics:
    named = topic_names(settings)
    return NotificationTopics(member_settings(settings, named.notices, "redeliver").kafka, named)
