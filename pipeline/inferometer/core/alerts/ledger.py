"""What became of each notice: the entries of the ledger, and how they follow from one another.

Invariants: `delivered`, `dead` and `dropped` are final; a notice is one entry however often it is
tried; an entry holds its notice, so that a restarted process needs nothing else to go on.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson

from inferometer.core.alerts.history import drivers_from_json, known_fields
from inferometer.core.alerts.notice_codec import encode_versioned, notice_from_json
from inferometer.core.alerts.receivers import is_urgent
from inferometer.core.alerts.retries import (
    SECOND_US,
    Attempt,
    AttemptKind,
    Verdict,
    judge,
    next_attempt_us,
    policy_of,
)
from inferometer.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inferometer.core.alerts.notices import Driver, Notice

VERSION = 1
REDELIVERY = "redelivery"
"""Key in the details of a notice that asks to be sent again."""
MAX_STORED_DETAIL = 300


class NoticeState(enum.StrEnum):
    """How far a notice has come."""

    PLANNED = "planned"
    INFLIGHT = "inflight"
    DELIVERED = "delivered"
    DEAD = "dead"
    """Given up; `inferometer alerts redeliver` plans it again."""
    DROPPED = "dropped"
    """Not sent on purpose; the reason says why."""

    @property
    def is_final(self) -> bool:
        """Return whether nothing more happens by itself."""
        return self not in {NoticeState.PLANNED, NoticeState.INFLIGHT}


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One notice and what became of it."""

    notice: Notice
    state: NoticeState
    planned_at_us: int
    next_at_us: int
    """Not tried before."""
    attempts: int = 0
    earlier_attempts: int = 0
    """Before a redelivery, which begins a schedule anew."""
    refusals: int = 0
    first_at_us: int = 0
    """Begin of the first attempt, 0 before."""
    last_at_us: int = 0
    last_kind: AttemptKind | None = None
    last_status: int | None = None
    reason: str = ""
    """Of the last failure, or why it was dropped."""
    took_us: int = 0
    """How long the last attempt took."""
    is_maybe_delivered: bool = False
    """Whether an attempt ended without an answer: its receiver may have it."""
    is_fallback_told: bool = False
    final_at_us: int = 0
    """When the state became final, 0 before."""

    @property
    def notification_id(self) -> str:
        """Return the id of the notice, which is the key of the entry."""
        return self.notice.notification_id

    @property
    def lane(self) -> tuple[str, str]:
        """Return what is sent one after the other: receiver and incident."""
        return self.notice.receiver, self.notice.incident_id

    @property
    def is_asked_for(self) -> bool:
        """Return whether somebody wants it sent, stale or not."""
        return REDELIVERY in self.notice.details


def planned(notice: Notice, *, now_us: int, delay_s: int = 0) -> LedgerEntry:
    """Return the entry of a notice that is to be sent."""
    return LedgerEntry(
        notice=notice,
        state=NoticeState.PLANNED,
        planned_at_us=now_us,
        next_at_us=now_us + delay_s * SECOND_US,
    )


def dropped(entry: LedgerEntry, *, reason: str, now_us: int) -> LedgerEntry:
    """Return an entry that will not be sent."""
    return replace(entry, state=NoticeState.DROPPED, reason=reason, final_at_us=now_us)


def dead(entry: LedgerEntry, *, reason: str, now_us: int) -> LedgerEntry:
    """Return an entry that is given up."""
    return replace(entry, state=NoticeState.DEAD, reason=reason, final_at_us=now_us)


def started(entry: LedgerEntry, *, now_us: int) -> LedgerEntry:
    """Return the entry as an attempt begins; stored before anything is sent."""
    return replace(
        entry,
        state=NoticeState.INFLIGHT,
        attempts=entry.attempts + 1,
        first_at_us=entry.first_at_us or now_us,
        last_at_us=now_us,
    )


def ended(entry: LedgerEntry, attempt: Attempt, *, now_us: int) -> LedgerEntry:
    """Return the entry after an attempt: delivered, planned again, or dead."""
    verdict = judge(attempt)
    entry = replace(
        entry,
        refusals=entry.refusals + (verdict is Verdict.REFUSED),
        last_kind=attempt.kind,
        last_status=attempt.status,
        reason=attempt.detail[:MAX_STORED_DETAIL],
        took_us=attempt.took_us,
        is_maybe_delivered=entry.is_maybe_delivered or attempt.kind is AttemptKind.LOST,
    )
    if verdict is Verdict.DELIVERED:
        return replace(entry, state=NoticeState.DELIVERED, reason="", final_at_us=now_us)
    if verdict is Verdict.GONE:
        return dead(entry, reason="the endpoint is gone (410)", now_us=now_us)
    next_at_us = next_attempt_us(
        policy_of(is_urgent=is_urgent(entry.notice)),
        key=entry.notification_id,
        verdict=verdict,
        attempts=entry.attempts,
        refusals=entry.refusals,
        first_at_us=entry.first_at_us,
        last_at_us=entry.last_at_us,
        retry_after_s=attempt.retry_after_s,
        now_us=now_us,
    )
    if next_at_us is None:
        return dead(entry, reason=entry.reason, now_us=now_us)
    return replace(entry, state=NoticeState.PLANNED, next_at_us=next_at_us)


def restored(entry: LedgerEntry, *, now_us: int) -> LedgerEntry:
    """Return an entry as a restarted process goes on with it.

    What was in flight is sent again under the same id: nobody knows whether it arrived.
    """
    if entry.state is not NoticeState.INFLIGHT:
        return entry
    return replace(entry, state=NoticeState.PLANNED, next_at_us=now_us, is_maybe_delivered=True)


def redelivery_request(notice: Notice, *, token: str) -> Notice:
    """Return a notice that asks whoever delivers to send it again; one token asks once."""
    return replace(notice, details={**notice.details, REDELIVERY: token})


def is_redelivery(known: LedgerEntry, notice: Notice) -> bool:
    """Return whether a notice that is known asks to be sent again, and did not ask before."""
    token = notice.details.get(REDELIVERY)
    return (
        token is not None and known.state.is_final and known.notice.details.get(REDELIVERY) != token
    )


def redelivered(entry: LedgerEntry, notice: Notice, *, now_us: int) -> LedgerEntry:
    """Return a final entry as one that is to be sent again, under the same id."""
    return replace(
        planned(notice, now_us=now_us),
        is_maybe_delivered=entry.is_maybe_delivered or entry.state is NoticeState.DELIVERED,
        earlier_attempts=entry.earlier_attempts + entry.attempts,
        # Its fallback has heard of it, or need not, for somebody looks after it now.
        is_fallback_told=True,
    )


def needs_fallback(entry: LedgerEntry, *, now_us: int) -> bool:
    """Return whether its receiver has failed for so long that the fallback must be told."""
    if entry.is_fallback_told:
        return False
    if entry.state is NoticeState.DEAD:
        return True
    after_s = policy_of(is_urgent=is_urgent(entry.notice)).fallback_after_s
    return (
        not entry.state.is_final
        and entry.attempts > 0
        and after_s is not None
        and now_us - entry.first_at_us >= after_s * SECOND_US
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """A row of history: one attempt, or, with `attempt` 0, a decision not to send."""

    notification_id: str
    incident_id: str
    receiver: str
    format: str
    transition: str
    severity: str
    attempt: int
    at_us: int
    outcome: str
    """`delivered`, `retry`, `dead` or `dropped`."""
    http_status: int | None
    duration_ms: int
    error: str
    next_at_us: int | None
    """When it is tried again; None if never."""
    drivers: tuple[Driver, ...] = ()
    """What the notice named; none in records of older releases."""


def attempt_record(entry: LedgerEntry, *, format_name: str) -> AttemptRecord:
    """Return the row of an entry whose attempt has ended, or that is final without one."""
    is_retried = not entry.state.is_final
    is_attempt = entry.last_kind is not None and entry.state is not NoticeState.DROPPED
    return AttemptRecord(
        notification_id=entry.notification_id,
        incident_id=entry.notice.incident_id,
        receiver=entry.notice.receiver,
        format=format_name,
        transition=str(entry.notice.transition),
        severity=str(entry.notice.severity),
        attempt=entry.earlier_attempts + entry.attempts if is_attempt else 0,
        at_us=entry.last_at_us if is_attempt else entry.final_at_us,
        outcome="retry" if is_retried else str(entry.state),
        http_status=entry.last_status if is_attempt else None,
        duration_ms=entry.took_us // 1000 if is_attempt else 0,
        error=entry.reason,
        next_at_us=entry.next_at_us if is_retried else None,
        drivers=entry.notice.drivers,
    )


def encode_attempt(record: AttemptRecord) -> bytes:
    """Return a row as JSON."""
    return orjson.dumps(record, option=orjson.OPT_SORT_KEYS)


def decode_attempt(raw: bytes | str) -> AttemptRecord:
    """Return the row of `encode_attempt`; raises StateError if it is none."""
    try:
        found = orjson.loads(raw)
        drivers = drivers_from_json(found.get("drivers", ()))
        return AttemptRecord(**known_fields(AttemptRecord, found) | {"drivers": drivers})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StateError(f"a stored attempt is malformed ({error!r}); skip this record") from error


def encode_entry(entry: LedgerEntry) -> bytes:
    """Return an entry as canonical JSON."""
    return encode_versioned({"v": VERSION, "entry": entry})


def decode_entry(raw: bytes | str) -> LedgerEntry:
    """Return the entry of `encode_entry`; raises StateError if it is none."""
    try:
        return _entry(orjson.loads(raw))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StateError(f"an entry of the notice ledger is malformed ({error!r})") from error


def _entry(found: Mapping[str, Any]) -> LedgerEntry:
    if found["v"] > VERSION:
        raise StateError(
            f"the notice ledger was written by a newer release (version {found['v']}), this one "
            f"reads up to {VERSION}; upgrade this process"
        )
    inner = found["entry"]
    values: dict[str, Any] = {name: inner[name] for name in LedgerEntry.__slots__ if name in inner}
    kind = values["last_kind"]
    return LedgerEntry(
        **values
        | {
            "notice": notice_from_json(inner["notice"]),
            "state": NoticeState(values["state"]),
            "last_kind": None if kind is None else AttemptKind(kind),
        }
    )
