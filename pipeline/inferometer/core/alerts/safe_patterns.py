"""Refuses regular expressions that could keep the engine busy for ages.

Invariants: what passes takes time polynomial in the length of a label, of a small degree; what
Alertmanager's engine does not know (look-around, back-references) is refused too, so that a silence
means the same there. Patterns come from whoever may write silences, and one alone would stop every
notice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_PATTERN_CHARS = 1024
MAX_REPEATS = 3
"""Unbounded repeats beside each other: each multiplies the time by the label's length."""

_TOKEN = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\((?:\?(?:P<\w+>|[a-zA-Z-]*:|[^)\w]?))?|[*+]|\{\d*,?\d*\}|.",
    re.DOTALL,
)
_FOREIGN = re.compile(r"\(\?(?:[=!>#(]|<[=!]|P=)")
_UNCLEAR_SET = re.compile(r"\[|\[\^?\[.*|\[.*(?:--|&&|~~|\|\|).*", re.DOTALL)
"""Sets that engines read differently, `[[:alpha:]]` among them, and those without an end."""
_BACK_REFERENCE = re.compile(r"\\[1-9]")


def danger_of(pattern: str) -> str:
    """Say why a pattern is refused and what to do, or ""."""
    if len(pattern) > MAX_PATTERN_CHARS:
        return f"a pattern of more than {MAX_PATTERN_CHARS} characters; use several matchers"
    signs = _TOKEN.findall(pattern)
    if _FOREIGN.search(pattern) or any(_BACK_REFERENCE.fullmatch(sign) for sign in signs):
        return (
            f"{pattern!r} looks around or back, which no matcher can; "
            "use another matcher with != or !~"
        )
    if any(_UNCLEAR_SET.fullmatch(sign) for sign in signs):
        return f"{pattern!r} has a set that can be read in two ways; write it like [A-Za-z0-9]"
    return _repeats_problem(pattern, signs)


@dataclass(slots=True)
class _Group:
    """What a group, or the whole pattern, holds so far."""

    has_choice: bool = False
    """Or a repeat: repeated, it could be cut up in more ways than can be tried."""
    branch: int = 0
    """Unbounded repeats beside each other in this branch."""
    most: int = 0
    """The same in the worst branch before."""

    @property
    def repeats(self) -> int:
        return max(self.most, self.branch)


def _repeats_problem(pattern: str, signs: list[str]) -> str:
    groups = [_Group()]
    closed = _Group()
    """The group that ended just before."""
    for sign in signs:
        if _repeats(sign):
            if closed.has_choice:
                return (
                    f"{pattern!r} repeats a group that holds a repeat or a choice, which may take "
                    "for ever; repeat single signs or classes, such as [a-z]+"
                )
            groups[-1].has_choice = True
            groups[-1].branch += _is_unbounded(sign)
        elif sign == "?":
            groups[-1].has_choice = True
        elif sign == "|":
            groups[-1] = _Group(has_choice=True, most=groups[-1].repeats)
        elif sign.startswith("("):
            groups.append(_Group())
        closed = _Group()
        if sign == ")" and len(groups) > 1:
            closed = groups.pop()
            groups[-1].branch += closed.repeats
            groups[-1].has_choice |= closed.has_choice
    repeats = groups[0].repeats
    if repeats > MAX_REPEATS:
        return (
            f"{pattern!r} has {repeats} repeats beside each other, of which there may be "
            f"{MAX_REPEATS}; use several matchers"
        )
    return ""


def _repeats(sign: str) -> bool:
    return sign in {"*", "+"} or (sign.startswith("{") and len(sign) > 1)


def _is_unbounded(sign: str) -> bool:
    return sign in {"*", "+"} or sign.endswith(",}")
