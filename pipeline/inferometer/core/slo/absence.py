"""Traffic that should be there and is not: silence, and collapse to a fraction of what is usual.

The expected rate is the median of the same local hour of week over up to six weeks, smoothed with
its neighbours (1 : 2 : 1) but never far above its own, times the level of the last seven days,
clamped; inside an hour it follows the slope to the next where that is less, so that neither a slope
nor the step into a weekend looks like missing traffic. Silence fires when so
much was expected since the last request that none at all has `exp(-expected) <= p_value`; collapse
when at most a tenth of the expected came, and so few are that improbable (Poisson).

Invariants: without history nothing is expected, so nothing is missing; what fires stays until
traffic is back, however long it takes, so that it cannot resolve by forgetting what was usual;
hours in which it fired, or in which data were stale, teach nothing.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from inferometer.core.alerts.conditions import Condition, Reading
from inferometer.core.alerts.notices import ConditionFacts
from inferometer.core.slo.adaptive import row_medians
from inferometer.core.slo.array_texts import packed, unpacked
from inferometer.core.slo.definitions import HOUR_S, MINUTE_S, Severity, Tier
from inferometer.core.slo.forecast import HOURS_OF_WEEK, hours_of_week
from inferometer.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from inferometer.core.slo.definitions import AbsenceRule

SILENCE = "absence"
COLLAPSE = "absence-collapse"
RULES = (SILENCE, COLLAPSE)
CELL_S = 10
LEAST_WEEKS = 3
MOST_WEEKS = 6
KEPT_HOURS = MOST_WEEKS * HOURS_OF_WEEK + 1
KEPT_MINUTES = 61
COLLAPSE_FACTORS = (1, 3, 12)
"""Windows of collapse, in multiples of the shortest: 5 min, 15 min and 1 h as shipped."""
LOWEST_LEVEL, HIGHEST_LEVEL = 0.5, 2.0
SNAPSHOT_VERSION = 1
GROUP_ARRAYS = (
    "_last_s", "_judged_last_s", "_ticked_s", "_silent", "_latched_rate", "_learnt_hour",
)  # fmt: skip
SURELY_MISSING = 300.0
"""At most a tenth of so many is more improbable than any p-value that makes sense."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsenceVerdict:
    """What the two rules say of each group at a tick."""

    conditions: NDArray[np.int8]
    """[rule, group]"""
    expected: NDArray[np.float64]
    """Requests that were expected since the last one came."""
    silent_s: NDArray[np.int64]


class AbsenceWatch:
    """Expectations and what came, for groups numbered from 0; about 4.5 kB a group."""

    def __init__(self, rule: AbsenceRule, *, tier: Tier = Tier.STANDARD, zone: str = "UTC") -> None:
        self.rule = rule
        self.severity = Severity.PAGE if tier is Tier.CRITICAL else Severity.TICKET
        self.zone = zone
        self._by_hour = np.full((0, KEPT_HOURS), np.nan, dtype=np.float32)
        """NaN: teaches nothing."""
        self._by_minute = np.zeros((0, KEPT_MINUTES), dtype=np.int32)
        self._last_s = np.zeros(0, dtype=np.int64)
        """End of the newest cell with a request; 0 for none yet."""
        self._judged_last_s = np.zeros(0, dtype=np.int64)
        self._silent = np.zeros(0)
        self._latched = np.zeros((len(RULES), 0), dtype=np.bool_)
        self._latched_rate = np.zeros(0)
        self._rates = np.zeros((3, 0))
        """Expected requests an hour in the hour before, this one and the next; NaN: unknown."""
        self._learnt_hour = np.zeros(0, dtype=np.int64)
        self._newest_hour = -1
        self._newest_minute = -1
        self._ticked_s = np.zeros(0, dtype=np.int64)
        """The tick up to which the expectation of each group has been summed."""
        self._excused_s = 0
        """Up to here data were stale: what is missing before says nothing."""

    def ensure(self, groups: int) -> None:
        """Have room for groups 0..groups-1."""
        extra = groups - len(self._last_s)
        if extra <= 0:
            return
        self._by_hour = np.pad(self._by_hour, ((0, extra), (0, 0)), constant_values=np.nan)
        self._by_minute = np.pad(self._by_minute, ((0, extra), (0, 0)))
        for name in GROUP_ARRAYS:
            setattr(self, name, np.pad(getattr(self, name), (0, extra)))
        self._latched = np.pad(self._latched, ((0, 0), (0, extra)))
        self._rates = np.pad(self._rates, ((0, 0), (0, extra)), constant_values=np.nan)

    def add(
        self, groups: NDArray[np.int64], cells_s: NDArray[np.int64], totals: NDArray[np.int64]
    ) -> None:
        """Add requests to groups in cells of 10 s, in any order."""
        some = totals > 0
        groups, cells_s, totals = groups[some], cells_s[some], totals[some]
        if not len(groups):
            return
        self.ensure(int(groups.max()) + 1)
        self._advance(int(cells_s.max()))
        hours, minutes = cells_s // HOUR_S, cells_s // MINUTE_S
        kept = hours > self._newest_hour - KEPT_HOURS
        # The hour in which a group appears is not whole, so it stays NaN.
        np.add.at(self._by_hour, (groups[kept], hours[kept] % KEPT_HOURS), totals[kept])
        kept = minutes > self._newest_minute - KEPT_MINUTES
        np.add.at(self._by_minute, (groups[kept], minutes[kept] % KEPT_MINUTES), totals[kept])
        np.maximum.at(self._last_s, groups, cells_s + CELL_S)

    def _advance(self, at_s: int) -> None:
        hour, minute = at_s // HOUR_S, at_s // MINUTE_S
        if hour > self._newest_hour:
            first = max(self._newest_hour + 1, hour - KEPT_HOURS + 1)
            slots = np.arange(first, hour + 1) % KEPT_HOURS
            self._by_hour[:, slots] = np.where(self._last_s > 0, 0.0, np.nan)[:, None]
            self._newest_hour = hour
        if minute > self._newest_minute:
            first = max(self._newest_minute + 1, minute - KEPT_MINUTES + 1)
            self._by_minute[:, np.arange(first, minute + 1) % KEPT_MINUTES] = 0
            self._newest_minute = minute

    def _learn(self, at_s: int) -> None:
        """Learn what this hour usually brings, once for each group, late counts or not."""
        hour = at_s // HOUR_S
        due = self._learnt_hour != hour
        if due.any():
            level = self._levels(hour)
            rates = np.stack([self._usual(one) * level for one in range(hour - 1, hour + 2)])
            self._rates[:, due] = rates[:, due]
            self._learnt_hour[due] = hour

    def _rate(self, at_s: int) -> NDArray[np.float64]:
        """Return the expected requests a second; zero where nothing is known."""
        before, own, after = np.nan_to_num(self._rates) / HOUR_S
        place = at_s % HOUR_S / HOUR_S - 0.5
        slope = np.where(place < 0, own - before, after - own)
        rate: NDArray[np.float64] = np.minimum(own, own + slope * place)
        return rate

    def _usual(self, hour: int) -> NDArray[np.float64]:
        """Return the smoothed median of an hour of week, from whole hours before the newest."""
        first = self._newest_hour - KEPT_HOURS + 1
        past = np.arange(first, self._newest_hour)
        by_hour = hours_of_week(first * HOUR_S, len(past), self.zone)
        wanted = int(hours_of_week(hour * HOUR_S, 1, self.zone)[0])
        parts = []
        for offset in (-1, 0, 1):
            same = past[by_hour == (wanted + offset) % HOURS_OF_WEEK]
            counts = self._by_hour[:, same % KEPT_HOURS].astype(np.float64)
            enough = (~np.isnan(counts)).sum(axis=1) >= LEAST_WEEKS
            parts.append(np.where(enough, row_medians(counts), np.nan))
        smoothed = (parts[0] + 2 * parts[1] + parts[2]) / 4
        # What the median of a few Poisson counts may be too small by.
        highest: NDArray[np.float64] = parts[1] + np.sqrt(np.maximum(parts[1], 1.0)) / 2
        usual: NDArray[np.float64] = np.where(
            np.isnan(smoothed), np.nan, np.minimum(smoothed, highest)
        )
        return usual

    def _levels(self, hour: int) -> NDArray[np.float64]:
        """Return the ratio of the last seven days to a usual week, clamped."""
        weeks = []
        for week in range(MOST_WEEKS):
            last = hour - week * HOURS_OF_WEEK
            slots = np.arange(last - HOURS_OF_WEEK, last) % KEPT_HOURS
            weeks.append(_means(self._by_hour[:, slots]))
        usual = row_medians(np.column_stack(weeks))
        ratio = np.divide(weeks[0], usual, out=np.ones(len(usual)), where=usual > 0)
        level: NDArray[np.float64] = np.clip(
            np.nan_to_num(ratio, nan=1.0), LOWEST_LEVEL, HIGHEST_LEVEL
        )
        return level

    def evaluate(self, tick_s: int, *, is_stale: bool = False) -> AbsenceVerdict:
        """Return what is missing at a tick; while data are stale nothing is known to be."""
        self._advance(tick_s - CELL_S)
        # Now, and not when a cell of a new hour comes: the hour before may not be complete then.
        self._learn(tick_s - CELL_S)
        self._expect(tick_s)
        back = self._is_back(tick_s)
        if is_stale:
            self._excused_s = tick_s
            self._silent[:] = 0
            self._untaught(np.ones(len(self._last_s), dtype=np.bool_))
        else:
            silence, collapse = self._missing(tick_s)
            self._latch(0, silence, back)
            self._latch(1, collapse, back)
            self._untaught(self._latched[0] | self._latched[1])
        known = ~np.isnan(self._rates[1]) | self._latched.any(axis=0)
        conditions = np.where(known, self._latched, Condition.UNKNOWN).astype(np.int8)
        if is_stale:
            conditions[:] = Condition.UNKNOWN
        return AbsenceVerdict(
            conditions=conditions,
            expected=self._silent.copy(),
            silent_s=np.where(self._last_s > 0, tick_s - self._last_s, 0),
        )

    def _expect(self, tick_s: int) -> None:
        """Add what the time since the last tick, or since a newer request, would have brought."""
        rate = self._rate(tick_s - CELL_S)
        step_s = np.maximum(tick_s - self._ticked_s, 0)
        is_newer = self._last_s > self._judged_last_s
        since_last_s = np.maximum(tick_s - np.maximum(self._last_s, self._excused_s), 0)
        self._silent = np.where(is_newer, rate * since_last_s, self._silent + rate * step_s)
        self._judged_last_s = self._last_s.copy()
        self._ticked_s = np.maximum(self._ticked_s, tick_s)

    def _missing(self, tick_s: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        rule = self.rule
        seen = self._last_s > 0
        silent_s = tick_s - np.maximum(self._last_s, self._excused_s)
        needed = -math.log(rule.p_value)
        silence = seen & (silent_s >= rule.shortest_s) & (self._silent >= needed)
        collapse = np.zeros(len(seen), dtype=np.bool_)
        for factor in COLLAPSE_FACTORS:
            window_s = min(factor * rule.shortest_s, (KEPT_MINUTES - 1) * MINUTE_S)
            if tick_s - window_s - MINUTE_S < self._excused_s:
                continue
            observed, expected = self._window(tick_s, window_s)
            few = (
                seen
                & (observed > 0)
                & (expected >= needed)
                & (observed <= float(rule.collapse_ratio) * expected)
            )
            for group in np.flatnonzero(few & ~collapse).tolist():
                p_value = poisson_at_most(int(observed[group]), float(expected[group]))
                collapse[group] = p_value <= rule.p_value
        return silence, collapse

    def _window(self, tick_s: int, window_s: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return what came and what was expected, over a window widened to a whole minute."""
        first = (tick_s - window_s) // MINUTE_S
        numbers = np.arange(max(first, self._newest_minute - KEPT_MINUTES + 1), -(-tick_s // 60))
        observed = self._by_minute[:, numbers % KEPT_MINUTES].sum(axis=1, dtype=np.int64)
        length_s = tick_s - int(numbers[0]) * MINUTE_S
        rates = np.nan_to_num(self._rates[:2]) / HOUR_S
        before_s = max(0, length_s - ((tick_s - 1) % HOUR_S + 1))
        return observed, np.minimum(
            rates[0] * before_s + rates[1] * (length_s - before_s),
            length_s * np.maximum(self._rate(tick_s - CELL_S), rates[0] * (before_s > 0)),
        )

    def _is_back(self, tick_s: int) -> NDArray[np.bool_]:
        """Return where more came in the last minutes than a collapse would let through."""
        observed, _ = self._window(tick_s, self.rule.shortest_s)
        usual = self._latched_rate * self.rule.shortest_s / HOUR_S
        return (observed > 0) & (observed > float(self.rule.collapse_ratio) * usual)

    def _latch(self, rule: int, missing: NDArray[np.bool_], back: NDArray[np.bool_]) -> None:
        fresh = missing & ~self._latched.any(axis=0)
        self._latched_rate[fresh] = np.nan_to_num(self._rates[1, fresh])
        self._latched[rule] = (self._latched[rule] & ~back) | missing

    def _untaught(self, groups: NDArray[np.bool_]) -> None:
        if self._newest_hour >= 0:
            self._by_hour[groups, self._newest_hour % KEPT_HOURS] = np.nan

    def snapshot(self, group: int) -> bytes:
        """Return everything that is kept of one group."""
        kept = {
            "version": SNAPSHOT_VERSION,
            "ticked_s": int(self._ticked_s[group]),
            "excused_s": self._excused_s,
            "last_s": int(self._last_s[group]),
            "judged_last_s": int(self._judged_last_s[group]),
            "silent": float(self._silent[group]),
            "latched": self._latched[:, group].tolist(),
            "latched_rate": float(self._latched_rate[group]),
            "rates": [None if np.isnan(one) else float(one) for one in self._rates[:, group]],
            "learnt_hour": int(self._learnt_hour[group]),
            "newest_hour": self._newest_hour,
            "hours": packed(self._by_hour[group]),
            "newest_minute": self._newest_minute,
            "minutes": packed(self._by_minute[group]),
        }
        return json.dumps(kept).encode()

    def restore(self, group: int, data: bytes) -> None:
        """Take a group from its snapshot; call it before anything is added to the group."""
        kept = json.loads(data)
        if kept["version"] != SNAPSHOT_VERSION:
            raise StateError(
                f"a snapshot of expected traffic has version {kept['version']}, this release "
                f"reads {SNAPSHOT_VERSION}; start it with the release that wrote it"
            )
        self.ensure(group + 1)
        self._advance(kept["newest_minute"] * MINUTE_S)
        self._last_s[group] = kept["last_s"]
        self._judged_last_s[group] = kept["judged_last_s"]
        self._silent[group] = kept["silent"]
        self._latched[:, group] = kept["latched"]
        self._latched_rate[group] = kept["latched_rate"]
        self._rates[:, group] = [np.nan if one is None else one for one in kept["rates"]]
        self._learnt_hour[group] = kept["learnt_hour"]
        self._ticked_s[group] = kept["ticked_s"]
        self._excused_s = max(self._excused_s, kept["excused_s"])
        hours = unpacked(kept["hours"], np.float32)
        _place(self._by_hour[group], self._newest_hour, hours, kept["newest_hour"])
        minutes = unpacked(kept["minutes"], np.int32)
        _place(self._by_minute[group], self._newest_minute, minutes, kept["newest_minute"])

    def readings(self, verdict: AbsenceVerdict, group: int) -> list[Reading]:
        """Return what the rules say of one group."""
        expected = float(verdict.expected[group])
        found = []
        for index, name in enumerate(RULES):
            condition = Condition(int(verdict.conditions[index, group]))
            is_silence = name == SILENCE
            facts = ConditionFacts(
                rule=name,
                severity=self.severity,
                is_true=condition is Condition.TRUE,
                threshold=float(self.rule.shortest_s),
                value=float(verdict.silent_s[group]),
                unit="s without a request" if is_silence else "s since the last request",
                p_value=math.exp(-expected) if is_silence else None,
            )
            found.append(
                Reading(rule=name, severity=self.severity, condition=condition, facts=facts)
            )
        return found

    def true_groups(self, verdict: AbsenceVerdict) -> Sequence[int]:
        """Return the groups of which something is missing."""
        return np.flatnonzero((verdict.conditions == Condition.TRUE).any(axis=0)).tolist()


def _place(ring: NDArray[Any], newest: int, kept_ring: NDArray[Any], kept_newest: int) -> None:
    """Copy the cells of a ring that still are within another; cells since are empty."""
    numbers = np.arange(kept_newest - len(ring) + 1, kept_newest + 1)
    alive = numbers[numbers > newest - len(ring)] % len(ring)
    ring[:] = 0
    ring[alive] = kept_ring[alive]


def _means(hours: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the mean of each row over its numbers; NaN where less than half are there."""
    counts = (~np.isnan(hours)).sum(axis=1)
    sums = np.nansum(hours, axis=1, dtype=np.float64)
    means = np.divide(sums, counts, out=np.full(len(hours), np.nan), where=counts > 0)
    return np.where(2 * counts >= hours.shape[1], means, np.nan)


def poisson_at_most(count: int, expected: float) -> float:
    """Return P[X <= count] of a Poisson variable, for a count far below what is expected."""
    if expected > SURELY_MISSING and count <= expected / 2:
        return 0.0
    logs = [
        index * math.log(expected) - expected - math.lgamma(index + 1) for index in range(count + 1)
    ]
    return math.fsum(map(math.exp, logs))
