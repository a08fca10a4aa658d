"""Rules on a metric, evaluated at ticks: a static threshold at each, a learnt band at each window.

Invariants: a value with nothing behind it, or with less than `least_count`, is unknown; the most
urgent level that is passed decides the severity; while data are stale everything but the rules
that watch the pipeline itself is unknown.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.alerts.conditions import Condition, Reading
from inferometer.core.alerts.notices import ConditionFacts
from inferometer.core.alerts.subjects import Observation
from inferometer.core.slo.adaptive import AdaptiveBands
from inferometer.core.slo.definitions import Severity
from inferometer.core.slo.metric_rules import Comparison
from inferometer.core.slo.metric_windows import MetricWindows
from inferometer.core.slo.subject_definitions import BAND_RULE, STATIC_RULE, definition_of_rule
from inferometer.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from inferometer.core.slo.adaptive import BandVerdict
    from inferometer.core.slo.counting import BinCounts
    from inferometer.core.slo.metric_rules import Level, MetricRule

SNAPSHOT_VERSION = 1
US_PER_S = 1_000_000


@dataclass(slots=True)
class _BandNow:
    """What the band said of the newest whole window."""

    end_s: int = 0
    verdict: BandVerdict | None = None


class MetricEvaluator:
    """One rule on a metric over all its groups."""

    def __init__(self, rule: MetricRule) -> None:
        self.rule = rule
        self.definition = definition_of_rule(rule)
        self.windows = MetricWindows(rule)
        self.bands = AdaptiveBands(rule.band, rule.window_s) if rule.band else None
        self._band_now = _BandNow()
        self._accepted_us: dict[int, int] = {}
        """When a level was accepted last, by group."""
        self._stale_until_s = 0

    def add(
        self,
        groups: Sequence[tuple[str, ...]],
        group: NDArray[np.int32],
        cells_s: NDArray[np.int64],
        columns: Mapping[str, NDArray[np.int64]],
        bins: Mapping[str, BinCounts],
    ) -> None:
        """Add counts of `metric.needs`, grouped by the rule's `group_by`."""
        self.windows.add(groups, group, cells_s, columns, bins)

    def sample(self, key: tuple[str, ...], gauge: str, at_s: int, value: float) -> None:
        """Keep a sample of a gauge for a group."""
        self.windows.sample(key, gauge, at_s, value)

    def evaluate(
        self,
        tick_s: int,
        *,
        watched: Collection[tuple[str, ...]] = (),
        is_stale: bool = False,
    ) -> list[Observation]:
        """Return what to tell of each group with a true rule, and of those that are watched."""
        is_stale = is_stale and not self.rule.is_meta
        if is_stale:
            self._stale_until_s = tick_s
        values, counts = self.windows.values(tick_s)
        values = np.where(counts >= self.rule.least_count, values, np.nan)
        self._learn(tick_s, values)
        found = []
        for number, key in enumerate(self.windows.keys):
            readings = self._readings(number, float(values[number]), is_stale=is_stale)
            if key in watched or any(one.condition is Condition.TRUE for one in readings):
                found.append(
                    Observation(
                        subject=self.definition.subject(key),
                        readings=readings,
                        details={
                            "metric": str(self.rule.metric),
                            "window_s": self.rule.window_s,
                            "count": int(counts[number]),
                        },
                    )
                )
        return found

    def accept(self, number: int, at_us: int, since_us: int | None) -> None:
        """Take the level of a group since an instant as normal, unless that was done before.

        Without an instant it is the one at which the band began to fire, if it fires.
        """
        bands = self.bands
        if bands is None or at_us <= self._accepted_us.get(number, -1):
            return
        bands.ensure(number + 1)
        self._accepted_us[number] = at_us
        if since_us is not None:
            bands.accept(number, since_us // US_PER_S, bands.end_s)
        elif bands.is_firing[number]:
            bands.accept(number, int(bands.firing_since_s[number]), bands.end_s)
        else:
            return
        self._band_now = _BandNow(bands.end_s, bands.verdict())

    def snapshot(self, number: int) -> bytes:
        """Return everything that is kept of one group."""
        kept = {
            "version": SNAPSHOT_VERSION,
            "windows": self.windows.snapshot(number),
            "stale_until_s": self._stale_until_s,
            "band": None,
            "accepted_us": self._accepted_us.get(number, -1),
        }
        if self.bands is not None:
            self.bands.ensure(number + 1)
            kept["band"] = self.bands.snapshot(number)
        return json.dumps(kept).encode()

    def restore(self, data: bytes) -> int:
        """Return the number of a group after taking it from its snapshot."""
        kept = json.loads(data)
        if kept["version"] != SNAPSHOT_VERSION:
            raise StateError(
                f"a snapshot of rule {self.rule.name} has version {kept['version']}, this release "
                f"reads {SNAPSHOT_VERSION}; start it with the release that wrote it"
            )
        number = self.windows.restore(kept["windows"])
        self._stale_until_s = max(self._stale_until_s, kept["stale_until_s"])
        self._accepted_us[number] = kept.get("accepted_us", -1)
        if self.bands is not None and kept["band"]:
            self.bands.restore(number, kept["band"])
            self._band_now = _BandNow(self.bands.end_s, self.bands.verdict())
        return number

    def _learn(self, tick_s: int, values: NDArray[np.float64]) -> None:
        if self.bands is None or tick_s % self.rule.window_s:
            return
        is_whole = tick_s - self.rule.window_s >= self._stale_until_s
        verdict = self.bands.observe(
            tick_s, values, may_teach=np.full(len(values), is_whole, dtype=np.bool_)
        )
        self._band_now = _BandNow(tick_s, verdict)

    def _readings(self, number: int, value: float, *, is_stale: bool) -> tuple[Reading, ...]:
        found = []
        if self.rule.levels:
            found.append(self._static(value, is_stale=is_stale))
        if self.bands is not None:
            found.append(self._banded(number, is_stale=is_stale))
        return tuple(found)

    def _static(self, value: float, *, is_stale: bool) -> Reading:
        level, is_true = _worst(self.rule.levels, self.rule.comparison, value)
        condition = Condition.TRUE if is_true else Condition.FALSE
        if is_stale or math.isnan(value):
            condition = Condition.UNKNOWN
        return Reading(
            rule=STATIC_RULE,
            severity=level.severity,
            condition=condition,
            facts=ConditionFacts(
                rule=STATIC_RULE,
                severity=level.severity,
                is_true=condition is Condition.TRUE,
                threshold=float(level.value),
                value=None if math.isnan(value) else value,
                unit=self.rule.metric.unit,
            ),
            for_s=self.rule.for_s,
            keep_firing_s=self.rule.keep_firing_s,
        )

    def _banded(self, number: int, *, is_stale: bool) -> Reading:
        verdict = self._band_now.verdict
        severity = self.rule.band.severity if self.rule.band else Severity.TICKET
        if verdict is None or number >= len(verdict.conditions):
            return Reading(rule=BAND_RULE, severity=severity, condition=Condition.UNKNOWN)
        condition = Condition(int(verdict.conditions[number]))
        if condition is Condition.UNKNOWN:
            return Reading(rule=BAND_RULE, severity=severity, condition=condition)
        value, upper = float(verdict.values[number]), float(verdict.uppers[number])
        return Reading(
            rule=BAND_RULE,
            severity=severity,
            condition=Condition.UNKNOWN if is_stale else condition,
            facts=ConditionFacts(
                rule=BAND_RULE,
                severity=severity,
                is_true=condition is Condition.TRUE and not is_stale,
                threshold=upper,
                value=value,
                unit=self.rule.metric.unit,
            ),
            keep_firing_s=self.rule.keep_firing_s,
        )


def _worst(levels: Sequence[Level], comparison: Comparison, value: float) -> tuple[Level, bool]:
    """Return the most urgent level that a value passes, or the mildest if it passes none."""
    passed = [level for level in levels if comparison.holds(value, float(level.value))]
    if not passed:
        return min(levels, key=lambda level: level.severity.rank), False
    is_low = comparison in {Comparison.BELOW, Comparison.AT_MOST}
    sign = -1 if is_low else 1
    return max(passed, key=lambda level: (level.severity.rank, sign * level.value)), True
