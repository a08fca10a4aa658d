"""Which receivers hear of an incident, and in which groups: a tree of routes as Alertmanager's.

Invariants: the first route that matches takes an incident unless it says to go on; what a route
leaves out it takes from its parent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from inferometer.core.alerts.matchers import all_match

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from inferometer.core.alerts.matchers import Matcher

DEFAULT_GROUP_BY = ("workspace", "service", "slo")
EVERY_LABEL = "..."
"""In `group_by`: each incident is a group of its own, as in Alertmanager."""


class Intervals(Protocol):
    """Named time intervals."""

    def is_active(self, name: str, now_s: int) -> bool:
        """Return whether an instant lies in the interval; unknown names are never active."""
        ...


class NoIntervals:
    """No interval is declared."""

    def is_active(self, name: str, now_s: int) -> bool:
        """Return False."""
        return False


NO_INTERVALS = NoIntervals()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A branch of the tree; None takes the value of the branch above."""

    receiver: str = ""
    """Empty: that of the branch above."""
    matchers: tuple[Matcher, ...] = ()
    group_by: tuple[str, ...] | None = None
    group_wait_s: int | None = None
    """None up to the root: by severity."""
    group_interval_s: int | None = None
    repeat_interval_s: int | None = None
    """None up to the root: by severity."""
    keep_going: bool = False
    """Whether later branches are asked too; Alertmanager calls it `continue`."""
    mute_times: tuple[str, ...] = ()
    """Time intervals in which nothing is sent along this branch; not inherited."""
    active_times: tuple[str, ...] = ()
    """Time intervals outside of which nothing is sent; not inherited."""
    routes: tuple[Route, ...] = ()

    def receivers(self) -> set[str]:
        """Return every receiver that the tree names."""
        below = (branch.receivers() for branch in self.routes)
        return set().union({self.receiver} - {""}, *below)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverTraits:
    """What planning must know of a receiver."""

    resolve_delay_s: int = 0
    """How long a resolve waits, where it is final for the receiver; at most the reopen window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """One receiver of one incident, with the settings of the branch that leads there."""

    receiver: str
    group_by: tuple[str, ...] = DEFAULT_GROUP_BY
    group_wait_s: int | None = None
    group_interval_s: int | None = None
    repeat_interval_s: int | None = None
    mute_times: tuple[str, ...] = ()
    active_times: tuple[str, ...] = ()

    def muted_by_time(self, intervals: Intervals, now_s: int) -> tuple[str, ...]:
        """Return names of the time intervals that keep a notice back now."""
        muting = tuple(
            f"time:{name}" for name in self.mute_times if intervals.is_active(name, now_s)
        )
        if muting or not self.active_times:
            return muting
        if any(intervals.is_active(name, now_s) for name in self.active_times):
            return ()
        return tuple(f"outside_time:{name}" for name in self.active_times)

    def group_key(self, labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """Return the labels that a notice of this incident is grouped by."""
        if EVERY_LABEL in self.group_by:
            return tuple(sorted(labels.items()))
        return tuple((name, labels.get(name, "")) for name in sorted(self.group_by))


def destinations(
    root: Route, labels: Mapping[str, str], extra: tuple[str, ...] = ()
) -> list[Destination]:
    """Return where an incident with these labels goes, each receiver once, in order of the tree.

    `extra` are receivers that its definition names itself; they take the settings of the root.
    """
    top = Destination(receiver="")
    found: dict[str, Destination] = {}
    for one in _walk(root, labels, top):
        found.setdefault(one.receiver, one)
    base = _settings(root, top)
    for receiver in extra:
        found.setdefault(receiver, _named(base, receiver))
    return [one for one in found.values() if one.receiver]


def _walk(route: Route, labels: Mapping[str, str], above: Destination) -> Iterator[Destination]:
    here = _settings(route, above)
    taken = False
    for branch in route.routes:
        if not all_match(branch.matchers, labels):
            continue
        taken = True
        yield from _walk(branch, labels, here)
        if not branch.keep_going:
            break
    if not taken:
        yield here


def _settings(route: Route, above: Destination) -> Destination:
    return Destination(
        receiver=route.receiver or above.receiver,
        group_by=above.group_by if route.group_by is None else route.group_by,
        group_wait_s=_first(route.group_wait_s, above.group_wait_s),
        group_interval_s=_first(route.group_interval_s, above.group_interval_s),
        repeat_interval_s=_first(route.repeat_interval_s, above.repeat_interval_s),
        mute_times=route.mute_times,
        active_times=route.active_times,
    )


def _named(base: Destination, receiver: str) -> Destination:
    return Destination(
        receiver=receiver,
        group_by=base.group_by,
        group_wait_s=base.group_wait_s,
        group_interval_s=base.group_interval_s,
        repeat_interval_s=base.repeat_interval_s,
    )


def _first(own: int | None, inherited: int | None) -> int | None:
    return inherited if own is None else own
