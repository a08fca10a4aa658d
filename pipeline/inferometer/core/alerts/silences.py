"""Silences: what keeps notices back for a while, with the fields and rules of Alertmanager.

Invariants: a silence has at least one matcher that a missing label does not meet, so none mutes
everything by accident; what is in force and has other matchers is another silence; of two versions
of one silence the one that was updated last counts, in whatever order they come.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from inferometer.core.alerts.matcher_texts import problem_of
from inferometer.core.alerts.matchers import all_match
from inferometer.core.alerts.safe_patterns import danger_of
from inferometer.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from inferometer.core.alerts.matchers import Matcher

MAX_MATCHERS = 100
MAX_TEXT_CHARS = 4096
"""Of a comment, an author, and the value of a matcher."""
_US_PER_S = 1_000_000


class MuteRefusedError(PipelineError):
    """A silence or maintenance window that cannot be as asked; carries every problem."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class SilenceState(enum.StrEnum):
    """Where an instant lies to a silence."""

    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Keeps back notices whose labels meet every matcher, from its start until before its end."""

    id: str
    """A UUID, as Alertmanager's clients expect."""
    matchers: tuple[Matcher, ...]
    starts_at_us: int
    ends_at_us: int
    updated_at_us: int
    created_by: str
    comment: str
    annotations: Mapping[str, str] = field(default_factory=dict)

    def state(self, now_us: int) -> SilenceState:
        """Return where an instant lies."""
        if now_us < self.starts_at_us:
            return SilenceState.PENDING
        return SilenceState.ACTIVE if now_us < self.ends_at_us else SilenceState.EXPIRED

    def mutes(self, labels: Mapping[str, str], now_us: int) -> bool:
        """Return whether a notice with these labels is kept back at an instant."""
        return self.starts_at_us <= now_us < self.ends_at_us and all_match(self.matchers, labels)


def matcher_problems(matchers: Iterable[Matcher]) -> list[str]:
    """Return what is wrong with the matchers of anything that mutes."""
    given = tuple(matchers)
    found = [problem for matcher in given for problem in _problems_of_matcher(matcher)]
    if not given:
        found.append('no matcher, so it would mute everything; give one, such as slo="NAME"')
    elif not found and all(matcher.matches({}) for matcher in given):
        # Asked only of patterns that compile.
        found.append("every matcher is met by a missing label, so it would mute everything")
    if len(given) > MAX_MATCHERS:
        found.append(f"{len(given)} matchers, of which there may be {MAX_MATCHERS}; make several")
    return found


def _problems_of_matcher(matcher: Matcher) -> list[str]:
    if not matcher.name:
        return ["a matcher without a name; give the label that it is about"]
    if len(matcher.value) > MAX_TEXT_CHARS:
        return [f"the value for {matcher.name} is longer than {MAX_TEXT_CHARS} characters"]
    problem = (danger_of(matcher.value) if matcher.is_regex else "") or problem_of(matcher)
    return [f"{matcher.name}: {problem}"] if problem else []


def problems_of(silence: Silence, now_us: int) -> list[str]:
    """Return everything that speaks against a silence that is to be stored now."""
    found = matcher_problems(silence.matchers)
    if silence.ends_at_us <= silence.starts_at_us:
        found.append("start time must be before end time")
    if silence.ends_at_us < now_us:
        found.append("end time can't be in the past")
    if not silence.created_by:
        found.append("createdBy is empty; say who silences, so that others can ask")
    texts = {"createdBy": silence.created_by, "comment": silence.comment, **silence.annotations}
    found += [
        f"{name} is longer than {MAX_TEXT_CHARS} characters"
        for name, text in texts.items()
        if len(text) > MAX_TEXT_CHARS
    ]
    return found


def changes(
    wanted: Silence, before: Silence | None, *, now_us: int, new_id: str
) -> tuple[Silence, ...]:
    """Return the versions to store so that a silence is as wanted; the last is what is in force.

    `before` is the silence that the wanted one names. It is changed in place where that is the same
    silence with other times or texts; else it ends now and another begins, as in Alertmanager.
    Raises MuteRefusedError.
    """
    problems = problems_of(wanted, now_us)
    if problems:
        raise MuteRefusedError(problems)
    if before is not None and _is_same(before, wanted, now_us):
        # Clients give back the start in whole milliseconds, so that of one in force is kept.
        is_on = before.state(now_us) is SilenceState.ACTIVE
        starts = before.starts_at_us if is_on else wanted.starts_at_us
        updated = _next(before, now_us)
        return (replace(wanted, id=before.id, starts_at_us=starts, updated_at_us=updated),)
    started = max(wanted.starts_at_us, whole_second(now_us))
    new = replace(wanted, id=new_id, starts_at_us=started, updated_at_us=now_us)
    if before is None or (ended := ending(before, now_us)) is None:
        return (new,)
    return (ended, new)


def ending(silence: Silence, now_us: int) -> Silence | None:
    """Return the version that ends a silence now; None where it has ended."""
    state = silence.state(now_us)
    if state is SilenceState.EXPIRED:
        return None
    ends = whole_second(now_us)
    starts = ends if state is SilenceState.PENDING else min(silence.starts_at_us, ends)
    return replace(
        silence, starts_at_us=starts, ends_at_us=ends, updated_at_us=_next(silence, now_us)
    )


def whole_second(now_us: int) -> int:
    """Return the second that an instant is in: notices are judged by whole seconds.

    What begins or ends now does so for everything that is judged after it was said.
    """
    return now_us - now_us % _US_PER_S


def _next(silence: Silence, now_us: int) -> int:
    """Return a time of update that wins over the last version, whatever the clocks say."""
    return max(now_us, silence.updated_at_us + 1)


def _is_same(before: Silence, wanted: Silence, now_us: int) -> bool:
    if before.matchers != wanted.matchers:
        return False
    state = before.state(now_us)
    if state is SilenceState.ACTIVE:
        return before.starts_at_us // _US_PER_S == wanted.starts_at_us // _US_PER_S
    return state is SilenceState.PENDING and wanted.starts_at_us >= now_us
