"""When a notice is sent again: what an answer means, and how long to wait after a failure.

Invariants: nothing here draws random numbers: jitter comes from the id of the notice, so a decision
can be repeated; gaps count from the begin of an attempt; an urgent notice never waits longer than a
minute in its first half hour, unless the receiver itself asks for more.
"""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

SECOND_US = 1_000_000
MINUTE_S = 60
HOUR_S = 3600

RETRYABLE_STATUSES = frozenset({408, 425, 429})
GONE_STATUS = 410
MAX_RETRY_AFTER_DIGITS = 9


class AttemptKind(enum.StrEnum):
    """How one attempt ended."""

    ANSWERED = "answered"
    FORBIDDEN = "forbidden"
    """The guard did not let it out."""
    UNREACHED = "unreached"
    """No connection: certainly not delivered."""
    LOST = "lost"
    """It went out and no answer came: it may have been delivered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt to deliver one message."""

    kind: AttemptKind
    status: int | None = None
    """Of the answer, if there was one."""
    retry_after_s: int | None = None
    detail: str = ""
    """For people; no address, no key, nothing of the answer's body."""
    took_us: int = 0


class Verdict(enum.StrEnum):
    """What follows from an attempt."""

    DELIVERED = "delivered"
    RETRY = "retry"
    """It may work later."""
    REFUSED = "refused"
    """It will hardly work later: a few more tries."""
    GONE = "gone"
    """The endpoint asks never to be called again."""


def judge(attempt: Attempt) -> Verdict:
    """Return what an attempt means. Redirects are refusals: they are never followed."""
    match attempt.kind:
        case AttemptKind.UNREACHED | AttemptKind.LOST:
            return Verdict.RETRY
        case AttemptKind.FORBIDDEN:
            return Verdict.REFUSED
        case AttemptKind.ANSWERED:
            return _judge_status(attempt.status or 0)


def _judge_status(status: int) -> Verdict:
    if 200 <= status < 300:
        return Verdict.DELIVERED
    if status == GONE_STATUS:
        return Verdict.GONE
    if status in RETRYABLE_STATUSES or status >= 500:
        return Verdict.RETRY
    return Verdict.REFUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """The waits between attempts, in seconds; after the last the notice is dead."""

    gaps_s: tuple[int, ...]
    """After the first attempts."""
    steady: tuple[tuple[int, int], ...] = ()
    """Then (gap, until so long after the first attempt), one after the other."""
    jitter: float = 0.2
    """Each gap is changed by up to this share of itself."""
    refused_gaps_s: tuple[int, ...] = (60, 240)
    """After refusals: three tries over five minutes."""
    retry_after_cap_s: int
    fallback_after_s: int | None = None
    """When the fallback is told as well, although this is still tried."""


PAGES = RetryPolicy(
    gaps_s=(5, 15, 30),
    # 50 s with a fifth of jitter stays within the minute that pages promise.
    steady=((50, 30 * MINUTE_S), (5 * MINUTE_S, 24 * HOUR_S)),
    retry_after_cap_s=5 * MINUTE_S,
    fallback_after_s=3 * MINUTE_S,
)
TICKETS = RetryPolicy(
    # Standard Webhooks 1.0.0: 75 h 35 min in all.
    gaps_s=(5, 300, 1800, *(hours * HOUR_S for hours in (2, 5, 10, 14, 20, 24))),
    retry_after_cap_s=HOUR_S,
)


def policy_of(*, is_urgent: bool) -> RetryPolicy:
    """Return the waits for pages and tests, or those for all others."""
    return PAGES if is_urgent else TICKETS


def next_attempt_us(
    policy: RetryPolicy,
    *,
    key: str,
    verdict: Verdict,
    attempts: int,
    refusals: int,
    first_at_us: int,
    last_at_us: int,
    retry_after_s: int | None,
    now_us: int,
) -> int | None:
    """Return when to try again; None if never.

    `attempts` were made, `refusals` of them refused; instants are those at which the first and the
    last attempt began; `key` makes the jitter of one notice differ from another's.
    """
    if verdict is Verdict.REFUSED:
        if refusals > len(policy.refused_gaps_s):
            return None
        gap_s: int | None = policy.refused_gaps_s[refusals - 1]
    else:
        gap_s = _gap_s(policy, attempts=attempts, age_s=(last_at_us - first_at_us) // SECOND_US)
    if gap_s is None:
        return None
    planned = last_at_us + int(gap_s * SECOND_US * (1 + policy.jitter * _spread(key, attempts)))
    if retry_after_s is not None:
        asked = min(retry_after_s, policy.retry_after_cap_s)
        planned = max(planned, now_us + asked * SECOND_US)
    return max(planned, now_us)


def _gap_s(policy: RetryPolicy, *, attempts: int, age_s: int) -> int | None:
    if attempts <= len(policy.gaps_s):
        return policy.gaps_s[attempts - 1]
    for gap_s, until_s in policy.steady:
        if age_s < until_s:
            return gap_s
    return None


def _spread(key: str, attempts: int) -> float:
    """Return a number between -1 and 1 that looks random and is always the same."""
    digest = hashlib.sha256(f"{key}|{attempts}".encode()).digest()
    return int.from_bytes(digest[:4]) / 0x7FFF_FFFF_8000 * 0x1_0000 - 1


def retry_after_seconds(header: str | None, *, now_us: int) -> int | None:
    """Return the seconds of a `Retry-After` header, which holds seconds or a date; None if neither.

    Source: RFC 9110, 10.2.3.
    """
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return int(text[:MAX_RETRY_AFTER_DIGITS])
    try:
        instant = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    now = datetime.fromtimestamp(now_us / SECOND_US, UTC)
    return max(0, int((instant - now).total_seconds()))
