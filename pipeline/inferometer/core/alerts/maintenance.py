"""Maintenance windows and deploys: planned times at which alerts are muted, or do not count.

Invariants: schedules are read in their own time zone by the clock on the wall; whether a window
applies depends on its fields, the labels and the instant alone, so that a replay decides the same.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from inferometer.core.alerts.matchers import all_match
from inferometer.core.alerts.silences import (
    MAX_TEXT_CHARS,
    MuteRefusedError,
    matcher_problems,
    whole_second,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inferometer.core.alerts.matchers import Matcher
    from inferometer.core.alerts.time_intervals import Range, TimeInterval

LONGEST_DEPLOY_S = 2 * 3600
"""A pipeline that dies after its deploy hook must not leave a service unwatched for long."""
MAX_INTERVALS = 100
FOREVER_US = 2**62


class Effect(enum.StrEnum):
    """What a window does."""

    MUTE = "mute"
    """Notices are kept back."""
    EXCLUDE_FROM_BUDGET = "exclude_from_budget"
    """Events count neither for windows nor for the budget."""
    BOTH = "both"
    ANNOTATE = "annotate"
    """Notices say what went on, nothing else."""

    @property
    def mutes(self) -> bool:
        """Whether notices are kept back."""
        return self in {Effect.MUTE, Effect.BOTH}

    @property
    def excludes(self) -> bool:
        """Whether events do not count."""
        return self in {Effect.EXCLUDE_FROM_BUDGET, Effect.BOTH}


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """A window: from its start until before its end, within that only at its intervals if any."""

    id: str
    matchers: tuple[Matcher, ...]
    effect: Effect
    reason: str
    created_by: str
    updated_at_us: int
    starts_at_us: int
    ends_at_us: int = FOREVER_US
    intervals: tuple[TimeInterval, ...] = ()

    def is_active(self, at_us: int) -> bool:
        """Return whether it is on at an instant."""
        if not self.starts_at_us <= at_us < self.ends_at_us:
            return False
        return not self.intervals or any(each.contains(at_us) for each in self.intervals)

    def applies(self, labels: Mapping[str, str]) -> bool:
        """Return whether it is about what has these labels."""
        return all_match(self.matchers, labels)

    def spans(self, from_us: int, until_us: int) -> list[Range]:
        """Return when between two instants it is on: pairs of start and end, in order, apart."""
        begins, ends = max(from_us, self.starts_at_us), min(until_us, self.ends_at_us)
        if begins >= ends:
            return []
        if not self.intervals:
            return [(begins, ends)]
        return _united([span for each in self.intervals for span in each.spans(begins, ends)])

    def ended_within(self, from_us: int, now_us: int) -> bool:
        """Return whether it was on at some time since an instant and is not on now."""
        return not self.is_active(now_us) and bool(self.spans(from_us, now_us))


def problems_of(window: Maintenance, now_us: int) -> list[str]:
    """Return everything that speaks against a window that is to be stored now."""
    found = matcher_problems(window.matchers)
    if window.ends_at_us <= window.starts_at_us:
        found.append("startsAt must be before endsAt")
    if window.ends_at_us <= now_us:
        found.append("endsAt lies in the past")
    if window.ends_at_us >= FOREVER_US and not window.intervals:
        found.append("it never ends; give endsAt, ttl, or time_intervals")
    if len(window.intervals) > MAX_INTERVALS:
        found.append(f"more than {MAX_INTERVALS} time intervals")
    for name, text in {"reason": window.reason, "createdBy": window.created_by}.items():
        if not text:
            found.append(f"{name} is empty; say it, so that others can ask")
        if len(text) > MAX_TEXT_CHARS:
            found.append(f"{name} is longer than {MAX_TEXT_CHARS} characters")
    return found


def stored(wanted: Maintenance, before: Maintenance | None, now_us: int) -> Maintenance:
    """Return the version to store so that a window is as wanted. Raises MuteRefusedError.

    What it excluded from the budget before now stays excluded: a change begins now.
    """
    problems = problems_of(wanted, now_us)
    if before is not None and before.is_active(now_us) and before.effect != wanted.effect:
        problems.append("its effect cannot change while it is on; end it and make another")
    if problems:
        raise MuteRefusedError(problems)
    newest = now_us if before is None else max(now_us, before.updated_at_us + 1)
    starts = wanted.starts_at_us
    if starts == now_us:
        starts = whole_second(now_us)
    return replace(wanted, updated_at_us=newest, starts_at_us=starts)


def ending(window: Maintenance, now_us: int) -> Maintenance | None:
    """Return the version that ends a window now; None where it has ended."""
    if window.ends_at_us <= now_us:
        return None
    ends = whole_second(now_us)
    return replace(
        window,
        starts_at_us=min(window.starts_at_us, ends),
        ends_at_us=ends,
        updated_at_us=max(now_us, window.updated_at_us + 1),
    )


def _united(spans: list[Range]) -> list[Range]:
    found: list[Range] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((start, end))
    return found
