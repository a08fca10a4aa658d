"""Levels that a person took for the new normal of a learnt band.

Invariants: one is taken by each group once, at the first tick that is not before it, so that a
replay takes it at the same tick; it changes what a band has learnt, never a fixed threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inferometer.core.alerts.matchers import all_match
from inferometer.core.alerts.silences import MAX_TEXT_CHARS, MuteRefusedError, matcher_problems

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inferometer.core.alerts.matchers import Matcher

LONGEST_SINCE_US = 7 * 86_400 * 1_000_000
"""A band compares a level with the same hours of earlier weeks, so it began within this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """Says that what bands of these labels see, since an instant, is as it should be."""

    id: str
    matchers: tuple[Matcher, ...]
    since_us: int | None
    """When the new level began; None: when the band began to fire, and nothing where it does not."""
    updated_at_us: int
    created_by: str
    comment: str

    @property
    def ends_at_us(self) -> int:
        """When it is over: it is said once."""
        return self.updated_at_us

    def applies(self, labels: Mapping[str, str]) -> bool:
        """Return whether it is about what has these labels."""
        return all_match(self.matchers, labels)

    def check(self) -> None:
        """Raise MuteRefusedError with everything that speaks against it."""
        problems = matcher_problems(self.matchers)
        if not self.created_by:
            problems.append("createdBy is empty; say who accepts, so that others can ask")
        for name, text in (("createdBy", self.created_by), ("comment", self.comment)):
            if len(text) > MAX_TEXT_CHARS:
                problems.append(f"{name} is longer than {MAX_TEXT_CHARS} characters")
        if self.since_us is not None:
            if self.since_us >= self.updated_at_us:
                problems.append("since lies in the future; say when the new level began")
            elif self.updated_at_us - self.since_us > LONGEST_SINCE_US:
                problems.append("since is over a week ago; what is that old is learnt by itself")
        if problems:
            raise MuteRefusedError(problems)
