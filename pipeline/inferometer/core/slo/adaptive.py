"""Thresholds that are learnt: what the same hours of earlier weeks brought, and how far is far.

The band of a window is learnt from the windows of the same local hour of week and its neighbours
(+-1 h) in the last 3 to 6 weeks, all of them before it:
`upper = max(median + k * 1.4826 * MAD, median * (1 + least_effect), static_floor)`;
1.4826 makes the median absolute deviation of normal noise its standard deviation.

Invariants: windows that fired, and those that somebody excluded, teach nothing; the median rises by
at most `weekly_growth` a week; a band that fires clears only below its hysteresis; a shift that
stays level for `stable_days` rescales what was learnt, so that it keeps the shape of the week.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from inferometer.core.alerts.conditions import Condition
from inferometer.core.slo.array_texts import packed, unpacked
from inferometer.core.slo.definitions import DAY_S, HOUR_S
from inferometer.core.slo.forecast import HOURS_OF_WEEK, hours_of_week

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from inferometer.core.slo.metric_rules import AdaptiveBand

WEEK_S = 7 * DAY_S
MAD_TO_SIGMA = 1.4826
LEVEL_TOLERANCE = 0.1
"""The first and the last day of a stable stretch are this close, each against earlier weeks."""


@dataclass(frozen=True, slots=True)
class BandVerdict:
    """What the band says of each group after one window."""

    conditions: NDArray[np.int8]
    values: NDArray[np.float64]
    medians: NDArray[np.float64]
    uppers: NDArray[np.float64]
    """NaN where too little is known."""


class AdaptiveBands:
    """The band of one rule over all its groups; windows are tumbling and given in order."""

    def __init__(self, band: AdaptiveBand, window_s: int) -> None:
        self.band = band
        self.window_s = window_s
        self.kept = band.most_weeks * WEEK_S // window_s
        self.values = np.full((0, self.kept), np.nan, dtype=np.float32)
        """[group, window], oldest first; the last is the newest that was given."""
        self.untaught = np.zeros((0, self.kept), dtype=np.bool_)
        self.recent = np.zeros((0, band.of), dtype=np.bool_)
        """Whether the last windows were above."""
        self.is_firing = np.zeros(0, dtype=np.bool_)
        self.firing_since_s = np.zeros(0, dtype=np.int64)
        self.end_s = 0
        """End of the newest window."""
        self._learnt_for: tuple[int, int] = (-1, -1)
        self._medians = self._uppers = np.zeros(0)
        self._enough = np.zeros(0, dtype=np.bool_)

    def ensure(self, groups: int) -> None:
        """Have room for groups 0..groups-1."""
        extra = groups - len(self.values)
        if extra <= 0:
            return
        self.values = np.pad(self.values, ((0, extra), (0, 0)), constant_values=np.nan)
        self.untaught = np.pad(self.untaught, ((0, extra), (0, 0)))
        self.recent = np.pad(self.recent, ((0, extra), (0, 0)))
        self.is_firing = np.pad(self.is_firing, (0, extra))
        self.firing_since_s = np.pad(self.firing_since_s, (0, extra))

    def observe(
        self,
        end_s: int,
        values: NDArray[np.float64],
        *,
        may_teach: NDArray[np.bool_] | None = None,
    ) -> BandVerdict:
        """Take the value of each group for the window that ends at `end_s` (NaN: none), and judge.

        `may_teach` is false where the window lies in maintenance or stale data; it is judged all
        the same. A window that is not after the newest one changes nothing.
        """
        self.ensure(len(values))
        medians, uppers = self.limits(end_s)
        if end_s > self.end_s:
            self._shift(end_s)
            self.values[:, -1] = values
            self.untaught[:, -1] = False if may_teach is None else ~may_teach
            self._judge(end_s, values, medians, uppers)
            self._settle(end_s)
        return self._verdict(medians, uppers)

    def verdict(self) -> BandVerdict:
        """Return what the newest window said, as far as a snapshot tells."""
        return self._verdict(*self.limits(self.end_s))

    def _verdict(self, medians: NDArray[np.float64], uppers: NDArray[np.float64]) -> BandVerdict:
        values = self.values[:, -1].astype(np.float64)
        known = self._enough & ~np.isnan(values)
        conditions = np.where(known, self.is_firing, Condition.UNKNOWN).astype(np.int8)
        return BandVerdict(conditions, values, medians, uppers)

    def _shift(self, end_s: int) -> None:
        steps = min((end_s - self.end_s) // self.window_s, self.kept) if self.end_s else self.kept
        self.end_s = end_s
        self.values[:, : self.kept - steps] = self.values[:, steps:]
        self.values[:, self.kept - steps :] = np.nan
        self.untaught[:, : self.kept - steps] = self.untaught[:, steps:]
        self.untaught[:, self.kept - steps :] = False

    def _judge(
        self,
        end_s: int,
        values: NDArray[np.float64],
        medians: NDArray[np.float64],
        uppers: NDArray[np.float64],
    ) -> None:
        known = ~np.isnan(uppers) & ~np.isnan(values)
        above = known & (values > uppers)
        # A window without a value is neither above nor below.
        self.recent[known] = np.column_stack([self.recent[known, 1:], above[known]])
        cleared = known & (values < medians + self.band.hysteresis * (uppers - medians))
        stops = self.is_firing & cleared
        starts = ~self.is_firing & (self.recent.sum(axis=1) >= self.band.needed)
        self.firing_since_s[starts] = end_s - self.band.of * self.window_s
        self.untaught[starts, -self.band.of :] = True
        self.is_firing = (self.is_firing & ~stops) | starts
        self.recent[stops] = False
        self.untaught[self.is_firing | above, -1] = True

    def limits(self, end_s: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return each group's median and upper limit for the window that ends at `end_s`.

        NaN where no week has taught. They change once an hour. Before `least_weeks` have taught
        they fire nothing, and serve to keep what is unusual from teaching.
        """
        hour = (end_s - self.window_s) // HOUR_S
        if self._learnt_for != (hour, len(self.values)):
            self._learnt_for = (hour, len(self.values))
            self._medians, self._uppers, self._enough = self._learn(hour * HOUR_S)
        return self._medians, self._uppers

    def _learn(
        self, hour_s: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        columns = self._pool(hour_s)
        seen = self.values[:, columns].astype(np.float64)
        pool = np.where(self.untaught[:, columns], np.nan, seen)
        weeks = (hour_s + WEEK_S // 2 - self._starts_s()[columns]) // WEEK_S
        # A week that fired is history too, but most must have taught.
        enough = (_weeks_with(seen, weeks) >= self.band.least_weeks) & (
            2 * _weeks_with(pool, weeks) > self.band.least_weeks
        )
        pool = self._without_odd_weeks(pool, weeks)
        medians = row_medians(pool)
        older = row_medians(pool[:, weeks > 1])
        capped = np.fmin(medians, older * (1 + self.band.weekly_growth))
        spread = row_medians(np.abs(pool - capped[:, None])) * MAD_TO_SIGMA
        upper = np.maximum(
            capped + self.band.deviations * spread, capped * (1 + self.band.least_effect)
        )
        upper = np.maximum(upper, float(self.band.static_floor))
        return capped, upper, enough

    def _without_odd_weeks(
        self, pool: NDArray[np.float64], weeks: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Leave out weeks that stand out: incidents from before a band could tell them.

        Where they are the minority they must not widen the band; the majority is never left out.
        """
        numbers = np.unique(weeks)
        if len(numbers) < self.band.least_weeks:
            return pool
        by_week = np.column_stack([row_medians(pool[:, weeks == week]) for week in numbers])
        own = by_week[:, np.searchsorted(numbers, weeks)]
        usual = row_medians(by_week)[:, None]
        spread = row_medians(np.abs(pool - own))[:, None] * MAD_TO_SIGMA
        highest = np.maximum(
            usual + self.band.deviations * spread, usual * (1 + self.band.least_effect)
        )
        return np.where(own > highest, np.nan, pool)

    def _starts_s(self) -> NDArray[np.int64]:
        return self.end_s - self.window_s * np.arange(self.kept, 0, -1)

    def _pool(self, hour_s: int) -> NDArray[np.int64]:
        """Return the columns of windows in this hour of week or beside it, of earlier weeks."""
        starts = self._starts_s()
        first = int(starts[0]) // HOUR_S
        count = int(starts[-1]) // HOUR_S - first + 1
        by_hour = hours_of_week(first * HOUR_S, count, self.band.zone)
        wanted = hours_of_week(hour_s, 1, self.band.zone)[0]
        away = (by_hour - wanted + 1) % HOURS_OF_WEEK
        chosen = (away <= 2)[starts // HOUR_S - first] & (starts < hour_s - WEEK_S // 2)
        return np.flatnonzero(chosen)

    def _settle(self, end_s: int) -> None:
        """Take a shift that has stayed level for `stable_days` as the new normal."""
        stable_s = self.band.stable_days * DAY_S
        ripe = self.is_firing & (end_s - self.firing_since_s >= stable_s)
        # Once an hour is often enough.
        if end_s % HOUR_S:
            return
        for group in np.flatnonzero(ripe).tolist():
            first, last = (
                self._shift_ratio(group, start_s, start_s + DAY_S)
                for start_s in (end_s - stable_s, end_s - DAY_S)
            )
            if abs(first / last - 1) <= LEVEL_TOLERANCE:
                self.accept(group, int(self.firing_since_s[group]), end_s)

    def accept(self, group: int, since_s: int, now_s: int) -> None:
        """Make the level since an instant the normal one, as an operator asks or time has shown.

        What was learnt before is scaled to it; the group stops firing.
        """
        starts = self._starts_s()
        ratio = self._shift_ratio(group, since_s, now_s)
        if not np.isnan(ratio):
            self.values[group, starts < since_s] *= np.float32(ratio)
        self.untaught[group, (starts >= since_s) & (starts < now_s)] = False
        self.is_firing[group] = False
        self.recent[group] = False
        self._learnt_for = (-1, -1)

    def _shift_ratio(self, group: int, start_s: int, end_s: int) -> float:
        """Return the usual ratio of windows to the same ones of earlier weeks; NaN if unknown."""
        starts = self._starts_s()
        new = np.flatnonzero((starts >= start_s) & (starts < end_s))
        taught = np.where(self.untaught[group], np.nan, self.values[group])
        ratios = []
        for weeks in range(1, self.band.most_weeks):
            before = new - weeks * WEEK_S // self.window_s
            usable = before >= 0
            ratios.append(self.values[group, new[usable]] / taught[before[usable]])
        found = np.concatenate([*ratios, np.zeros(0)]).astype(np.float64)
        return float(row_medians(np.where(found > 0, found, np.nan)[None, :])[0])

    def exclude(self, group: int, start_s: int, end_s: int) -> None:
        """Have the windows of a stretch of time teach nothing: maintenance, or stale data."""
        starts = self._starts_s()
        self.untaught[group, (starts < end_s) & (starts + self.window_s > start_s)] = True
        self._learnt_for = (-1, -1)

    def snapshot(self, group: int) -> dict[str, Any]:
        """Return everything that is kept of one group, as JSON can hold it."""
        return {
            "end_s": self.end_s,
            "window_s": self.window_s,
            "values": packed(self.values[group]),
            "untaught": packed(np.packbits(self.untaught[group])),
            "recent": self.recent[group].tolist(),
            "is_firing": bool(self.is_firing[group]),
            "firing_since_s": int(self.firing_since_s[group]),
        }

    def restore(self, group: int, kept: Mapping[str, Any]) -> None:
        """Take a group from its snapshot; one of windows of another length teaches nothing."""
        self.ensure(group + 1)
        if kept["window_s"] != self.window_s:
            return
        if kept["end_s"] > self.end_s:
            self._shift(kept["end_s"])
        values = unpacked(kept["values"], np.float32)
        untaught = np.unpackbits(unpacked(kept["untaught"], np.uint8))[: len(values)]
        late = (self.end_s - kept["end_s"]) // self.window_s
        count = max(0, min(len(values), self.kept - late))
        place = slice(self.kept - late - count, self.kept - late)
        self.values[group, place] = values[len(values) - count :]
        self.untaught[group, place] = untaught[len(values) - count :]
        recent = [False] * self.band.of + kept["recent"]
        self.recent[group] = recent[-self.band.of :]
        self.is_firing[group] = kept["is_firing"]
        self.firing_since_s[group] = kept["firing_since_s"]
        self._learnt_for = (-1, -1)


def _weeks_with(pool: NDArray[np.float64], weeks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return in how many weeks each row has a number."""
    found = [~np.isnan(pool[:, weeks == week]).all(axis=1) for week in np.unique(weeks).tolist()]
    return np.sum(found, axis=0, dtype=np.int64) if found else np.zeros(len(pool), dtype=np.int64)


def row_medians(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median of each row over its numbers; NaN for a row without any."""
    if rows.shape[1] == 0:
        return np.full(len(rows), np.nan)
    ordered = np.sort(rows, axis=1)  # NaN sorts last.
    counts = (~np.isnan(rows)).sum(axis=1)
    lines = np.arange(len(rows))
    low = ordered[lines, np.maximum(counts - 1, 0) // 2]
    high = ordered[lines, np.minimum(counts // 2, rows.shape[1] - 1)]
    return np.where(counts > 0, (low + high) / 2, np.nan)
