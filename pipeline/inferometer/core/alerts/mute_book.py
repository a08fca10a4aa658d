"""What people said of alerts, as it is known: silences, maintenance windows, accepted levels.

Invariants: of two versions of one entry that with the later update stays, whatever the order in
which they come, so any order of records gives the same book; what has expired is kept until
somebody forgets it, for history and for late questions about earlier instants.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from inferometer.core.alerts.acceptances import Acceptance
from inferometer.core.alerts.maintenance import Effect, Maintenance
from inferometer.core.alerts.matchers import all_match
from inferometer.core.alerts.silences import Silence, SilenceState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SILENCE = "silence:"
MAINTENANCE = "maintenance:"
ALERT_NAME = "alertname"
"""What clients of Alertmanager take a bare word for."""
_US_PER_S = 1_000_000

Entry = Silence | Maintenance | Acceptance
_Kind = TypeVar("_Kind", Silence, Maintenance)
_Any = TypeVar("_Any", Silence, Maintenance, Acceptance)


@dataclass(frozen=True, slots=True)
class _On(Generic[_Kind]):
    """What is on at one instant."""

    at_s: int | None = None
    entries: tuple[_Kind, ...] = ()


def mute_labels(labels: Mapping[str, str]) -> Mapping[str, str]:
    """Return the labels that matchers are asked about: with the objective's name as alertname."""
    if ALERT_NAME in labels:
        return labels
    return {**labels, ALERT_NAME: labels.get("slo", "")}


class MuteBook:
    """Everything that people said; implements the `Mutes` of alert planning."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._silences: dict[str, Silence] = {}
        self._windows: dict[str, Maintenance] = {}
        self._acceptances: dict[str, Acceptance] = {}
        self._silences_on: _On[Silence] = _On()
        self._windows_on: _On[Maintenance] = _On()
        for entry in entries:
            self.apply(entry)

    def apply(self, entry: Entry) -> bool:
        """Take in a version of an entry; return whether it is the newest of that entry."""
        self._forget_cached()
        match entry:
            case Silence():
                return _put(self._silences, entry)
            case Maintenance():
                return _put(self._windows, entry)
            case Acceptance():
                return _put(self._acceptances, entry)

    def forget(self, entry_id: str) -> None:
        """Drop an entry; an unknown one is no error."""
        self._silences.pop(entry_id, None)
        self._windows.pop(entry_id, None)
        self._acceptances.pop(entry_id, None)
        self._forget_cached()

    def outdated(self, before_us: int) -> list[str]:
        """Return the ids of entries that ended before an instant."""
        return [entry.id for entry in self.entries() if entry.ends_at_us < before_us]

    def entries(self) -> tuple[Entry, ...]:
        """Return everything, what is over too."""
        return (*self._silences.values(), *self._windows.values(), *self._acceptances.values())

    def acceptances(self) -> tuple[Acceptance, ...]:
        """Return the levels that were accepted, the oldest first."""
        if not self._acceptances:
            return ()
        found = self._acceptances.values()
        return tuple(sorted(found, key=lambda each: (each.updated_at_us, each.id)))

    def silence(self, silence_id: str) -> Silence | None:
        """Return a silence, None for an unknown id."""
        return self._silences.get(silence_id)

    def silences(self) -> tuple[Silence, ...]:
        """Return every silence, those that expired too."""
        return tuple(self._silences.values())

    def window(self, window_id: str) -> Maintenance | None:
        """Return a maintenance window, None for an unknown id."""
        return self._windows.get(window_id)

    def windows(self) -> tuple[Maintenance, ...]:
        """Return every maintenance window, those that ended too."""
        return tuple(self._windows.values())

    def muted_by(self, labels: Mapping[str, str], now_s: int) -> tuple[str, ...]:
        """Return the names of everything that keeps a notice back, in order."""
        silenced = (f"{SILENCE}{found}" for found in self.silenced_by(labels, now_s))
        on = self._applying(labels, now_s)
        muting = (f"{MAINTENANCE}{window.id}" for window in on if window.effect.mutes)
        return tuple(sorted((*silenced, *muting)))

    def silenced_by(self, labels: Mapping[str, str], now_s: int) -> tuple[str, ...]:
        """Return the ids of silences alone, in order."""
        asked = mute_labels(labels)
        on = self._silences_at(now_s)
        return tuple(each.id for each in on if all_match(each.matchers, asked))

    def pages_held_by(self, labels: Mapping[str, str], now_s: int, short_s: int) -> tuple[str, ...]:
        """Return the windows that ended so lately that the short window still reaches into them.

        A page waits until its short window lies wholly after the end, since what it counts began
        under maintenance.
        """
        asked, now_us = mute_labels(labels), now_s * _US_PER_S
        from_us = now_us - short_s * _US_PER_S
        return tuple(
            sorted(
                f"{MAINTENANCE}{window.id}"
                for window in self._windows.values()
                if window.effect is not Effect.ANNOTATE
                and window.applies(asked)
                and window.ended_within(from_us, now_us)
            )
        )

    def excluded_by(self, labels: Mapping[str, str], at_s: int) -> tuple[str, ...]:
        """Return the windows because of which events of an instant do not count."""
        return tuple(
            sorted(
                f"{MAINTENANCE}{window.id}"
                for window in self._applying(labels, at_s)
                if window.effect.excludes
            )
        )

    def notes(self, labels: Mapping[str, str], now_s: int) -> tuple[str, ...]:
        """Return what a notice should say of deploys that are on."""
        return tuple(
            sorted(
                f"{window.reason} ({window.created_by})"
                for window in self._applying(labels, now_s)
                if window.effect is Effect.ANNOTATE
            )
        )

    def _applying(self, labels: Mapping[str, str], at_s: int) -> list[Maintenance]:
        """Return the windows that are on; most often none, which must cost nothing."""
        on = self._windows_at(at_s)
        if not on:
            return []
        asked = mute_labels(labels)
        return [window for window in on if window.applies(asked)]

    # One instant is asked about once for each incident that fires, so its answer is kept.

    def _silences_at(self, at_s: int) -> tuple[Silence, ...]:
        if self._silences_on.at_s != at_s:
            at_us = at_s * _US_PER_S
            known = sorted(self._silences.values(), key=lambda each: each.id)
            on = (each for each in known if each.state(at_us) is SilenceState.ACTIVE)
            self._silences_on = _On(at_s, tuple(on))
        return self._silences_on.entries

    def _windows_at(self, at_s: int) -> tuple[Maintenance, ...]:
        if self._windows_on.at_s != at_s:
            at_us = at_s * _US_PER_S
            on = (window for window in self._windows.values() if window.is_active(at_us))
            self._windows_on = _On(at_s, tuple(on))
        return self._windows_on.entries

    def _forget_cached(self) -> None:
        self._silences_on, self._windows_on = _On(), _On()


def _put(shelf: dict[str, _Any], entry: _Any) -> bool:
    """Keep a version unless a newer one is known; return whether it was kept."""
    before = shelf.get(entry.id)
    if before is not None and _rank(before) >= _rank(entry):
        return False
    shelf[entry.id] = entry
    return True


def _rank(entry: Entry) -> tuple[int, str]:
    """Order versions; the text decides between two of one microsecond, alike everywhere."""
    return entry.updated_at_us, repr(entry)
