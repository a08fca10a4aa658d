"""Compares firing intervals with labels: precision, recall, detection, reset, with their error.

A page episode is true if it overlaps a label that deserves a page, widened by the time that the
closed form takes to clear; it is dropped where the truth is `dont_care`, and false otherwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tests.incidents.scenario import CELL_S
from tests.incidents.windows import tick_s

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.incidents.generator import Flags
    from tests.incidents.labels import Label

Z_95 = 1.959963984540054
CLEARS_WITHIN_S = 3600
"""A page's slow pair clears after 30 minutes at most, and is held for as long again."""


@dataclass(frozen=True, slots=True)
class Episode:
    """Firing from one tick to another; the end is the first tick at which it does not."""

    starts_s: int
    ends_s: int

    def overlaps(self, starts_s: int, ends_s: int) -> bool:
        """Return whether it fires at some tick after the start, up to the end."""
        return self.starts_s <= ends_s and starts_s < self.ends_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What one system did about one run of a case."""

    pages: tuple[Episode, ...]
    tickets: tuple[Episode, ...] = ()
    notices: int = 0
    """Messages that said something fires."""
    resolved: int = 0


@dataclass(frozen=True, slots=True)
class Share:
    """A share of counted cases, with Wilson's interval of 95 %."""

    hits: int
    of: int

    @property
    def value(self) -> float:
        """The share itself; NaN of nothing."""
        return self.hits / self.of if self.of else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Bounds. Source: Wilson 1927, "Probable inference, the law of succession"."""
        if not self.of:
            return (0.0, 1.0)
        p, n, z2 = self.value, self.of, Z_95**2
        middle = (p + z2 / (2 * n)) / (1 + z2 / n)
        half = Z_95 * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
        return (max(0.0, middle - half), min(1.0, middle + half))


@dataclass(slots=True, kw_only=True)
class Score:
    """What many runs add up to; `+` joins those of several cases."""

    true_pages: int = 0
    false_pages: int = 0
    dropped_pages: int = 0
    page_hits: int = 0
    page_labels: int = 0
    any_hits: int = 0
    """Labels with a page or a ticket."""
    any_labels: int = 0
    detections_s: list[int] = field(default_factory=list)
    clears_s: list[int] = field(default_factory=list)
    notices: int = 0
    heard_incidents: int = 0
    runs: int = 0
    evaluated_s: int = 0

    def __add__(self, other: Score) -> Score:
        """Return both together."""
        names = self.__slots__
        return Score(**{name: getattr(self, name) + getattr(other, name) for name in names})

    @property
    def precision(self) -> Share:
        """Page episodes that were right."""
        return Share(self.true_pages, self.true_pages + self.false_pages)

    @property
    def recall(self) -> Share:
        """Labels that deserve a page and got one."""
        return Share(self.page_hits, self.page_labels)

    @property
    def any_recall(self) -> Share:
        """Labels that deserve a page or a ticket and got either."""
        return Share(self.any_hits, self.any_labels)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        found = self.precision.value + self.recall.value
        return 2 * self.precision.value * self.recall.value / found if found else math.nan

    @property
    def false_pages_a_month(self) -> float:
        """False page episodes in 30 days of one objective."""
        return self.false_pages * 30 * 86_400 / self.evaluated_s if self.evaluated_s else math.nan

    @property
    def notices_an_incident(self) -> float:
        """Messages about firing per run in which anything was said."""
        return self.notices / self.heard_incidents if self.heard_incidents else math.nan


def quantile(values: Sequence[float], q: float) -> float:
    """Return a quantile by nearest rank; NaN of nothing."""
    return float(sorted(values)[min(len(values) - 1, int(q * len(values)))]) if values else math.nan


def episodes(fires: Flags, first: int, keep_firing_s: int = 0) -> tuple[Episode, ...]:
    """Return the maximal intervals of ticks from index `first` on; gaps up to the hold join."""
    padded = np.concatenate([[False], fires[first:], [False]]).astype(np.int8)
    edges = np.flatnonzero(np.diff(padded))
    found: list[Episode] = []
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        starts_s, ends_s = tick_s(int(start) + first), tick_s(int(end) + first)
        if found and keep_firing_s and starts_s - found[-1].ends_s < keep_firing_s + CELL_S:
            found[-1] = Episode(found[-1].starts_s, ends_s)
        else:
            found.append(Episode(starts_s, ends_s))
    return tuple(found)


def score(label: Label, heard: Iterable[Heard], evaluated_s: int) -> Score:
    """Return what runs of one case add up to."""
    total = Score()
    for run in heard:
        total += _of_run(label, run, evaluated_s)
    return total


def _of_run(label: Label, run: Heard, evaluated_s: int) -> Score:
    ends_s = label.ends_s + CLEARS_WITHIN_S
    near = [each for each in run.pages if each.overlaps(label.starts_s, ends_s)]
    far = len(run.pages) - len(near)
    result = Score(runs=1, evaluated_s=evaluated_s, notices=run.notices)
    result.heard_incidents = int(bool(run.pages or run.tickets))
    match label.page:
        case "yes":
            result.true_pages, result.false_pages = len(near), far
        case "no":
            result.false_pages = len(run.pages)
        case _:
            result.dropped_pages, result.false_pages = len(near), far
    _add_label(result, label, run, near)
    return result


def _add_label(result: Score, label: Label, run: Heard, near: list[Episode]) -> None:
    tickets = [each for each in run.tickets if each.overlaps(label.starts_s, label.ends_s)]
    if label.page == "yes":
        result.page_labels, result.page_hits = 1, int(bool(near))
    if label.verdict in {"page", "ticket"}:
        result.any_labels, result.any_hits = 1, int(bool(near or tickets))
        first = near if label.verdict == "page" else tickets
        if first:
            result.detections_s = [max(0, first[0].starts_s - label.starts_s)]
            result.clears_s = [max(0, first[-1].ends_s - label.ends_s)]
