"""Whether the store remembers tokens long enough: what is needed, what is there, what is used.

A table remembers its last tokens only, and counts one for each part that an insert makes. A retry
whose token has been pushed out is stored twice.
Invariant: whoever is away for at most `longest_outage_s` finds its token, as long as `need` is at
most the size of the window.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ALARM_RATIO = 0.5
"""The share of a window in use from which somebody should hear of it."""


@dataclass(frozen=True, slots=True)
class TokenWindow:
    """How many tokens a table remembers; 0 is none at all."""

    table: str
    size: int
    setting: str = "non_replicated_deduplication_window"
    seconds: int | None = None
    """How long they are remembered at most; None where age does not count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLoad:
    """What pushes tokens out while somebody is away who will come back and retry."""

    partitions: int
    inserts_per_s: float
    """Chunks a second of one partition."""
    days_an_insert: float
    """Days of event time, which are parts, that an insert lies in on average."""
    most_days_an_insert: int
    """The same at most: an insert of more parts than the window pushes its own token out."""
    longest_outage_s: float
    busiest: int = 0
    """Tokens that were written to a table in the busiest span of `longest_outage_s`, if known."""

    @property
    def need(self) -> int:
        """Return how many tokens a table has to remember."""
        expected = (
            self.partitions * self.inserts_per_s * self.longest_outage_s * self.days_an_insert
        )
        return max(math.ceil(expected), self.busiest, self.most_days_an_insert)


@dataclass(frozen=True, slots=True)
class TokenWindowUse:
    """How full the smallest window is with the tokens of the longest outage."""

    table: str
    size: int
    used: int

    @property
    def ratio(self) -> float:
        """Return the share in use; over 1, retries after the longest outage may be stored twice."""
        return self.used / self.size if self.size else math.inf

    @property
    def is_alarming(self) -> bool:
        """Say whether somebody should hear of it."""
        return self.ratio >= ALARM_RATIO


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenWindowProblem:
    """A window that is too small, and what to do."""

    message: str
    is_fatal: bool
    """Whether even an insert that is retried at once would be stored twice."""


def token_window_problems(
    windows: Sequence[TokenWindow], load: TokenLoad
) -> list[TokenWindowProblem]:
    """Return every window that cannot keep the promise of once only."""
    return [problem for window in windows if (problem := _problem(window, load)) is not None]


def smallest_use(windows: Sequence[TokenWindow], used: int) -> TokenWindowUse | None:
    """Return the use of the window that is full first; None without windows."""
    if not windows:
        return None
    smallest = min(windows, key=lambda window: window.size)
    return TokenWindowUse(smallest.table, smallest.size, used)


def _problem(window: TokenWindow, load: TokenLoad) -> TokenWindowProblem | None:
    is_fatal = window.size < load.most_days_an_insert
    remedy = (
        f"ALTER TABLE {window.table} MODIFY SETTING {window.setting} = "
        f"{_round_up(2 * load.need)}, or cut fewer chunks (worker.chunk_max_wait_s, "
        "worker.chunk_max_events), or expect shorter outages (worker.longest_outage_s)"
    )
    if is_fatal:
        return TokenWindowProblem(
            message=f"{window.table} remembers {window.size} tokens of inserts, and one insert may "
            f"need {load.most_days_an_insert}: a retry would be stored twice; {remedy}",
            is_fatal=True,
        )
    if window.size < load.need:
        return TokenWindowProblem(
            message=f"{window.table} remembers {window.size} tokens of inserts, and an outage of "
            f"{load.longest_outage_s:.0f} s may need {load.need}: what is retried after it could "
            f"be stored twice; {remedy}",
            is_fatal=False,
        )
    if window.seconds is not None and window.seconds < load.longest_outage_s:
        return TokenWindowProblem(
            message=f"{window.table} remembers tokens for {window.seconds} s, which is less than "
            f"worker.longest_outage_s ({load.longest_outage_s:.0f}); ALTER TABLE {window.table} "
            f"MODIFY SETTING {window.setting}_seconds = {math.ceil(2 * load.longest_outage_s)}",
            is_fatal=False,
        )
    return None


def _round_up(count: int) -> int:
    """Return the next number of one digit and zeros."""
    unit = int("1" + "0" * (len(str(count)) - 1))
    return math.ceil(count / unit) * unit
