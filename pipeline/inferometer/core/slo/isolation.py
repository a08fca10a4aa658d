"""What realtime traffic takes while no batch runs: the threshold that batch isolation compares with.

Each cell of 10 s either has batch attempts or not. The durations of realtime requests in cells
without are kept by hour, and the threshold of an hour is the p99 of the seven days before it, times
`1 + allowed`. A cell with batch counts its realtime requests as good or bad by that threshold; with
an objective of 0.99 the budget burns as soon as their p99 is worse by more than is allowed.

Invariants: the threshold of an hour depends on whole hours before it only, so every replay counts
alike; durations are compared by bin, so within the 0.5 % of `inferometer.core.bins`; a cell counts
nothing while fewer than `LEAST_REQUESTS` requests have taught.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inferometer.core.bins import MICROSECONDS_PER_MS, bin_of_us, merge, quantile_ms
from inferometer.core.slo.definitions import DAY_S, HOUR_S
from inferometer.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inferometer.core.slo.definitions import BatchIsolation

QUANTILE = 0.99
LEAST_REQUESTS = 1000
"""Fewer leave a p99 to chance."""
TAUGHT_S = 7 * DAY_S
SNAPSHOT_VERSION = 1


@dataclass(slots=True)
class IsolationBaseline:
    """One group of a batch isolation objective."""

    indicator: BatchIsolation
    hours: dict[int, dict[int, int]] = field(default_factory=dict)
    """Durations without batch: hour since 1970, to bin, to count."""
    _threshold: tuple[int, int | None] = (-1, None)

    def observe(self, cell_s: int, bins: Mapping[int, int], *, has_batch: bool) -> tuple[int, int]:
        """Take a cell's realtime durations; return (total, bad) that it adds to the objective.

        A cell is given once, complete: both what it counts and what it teaches hang on its batch.
        """
        if has_batch:
            threshold_us = self.threshold_us(cell_s)
            if threshold_us is None:
                return 0, 0
            limit = bin_of_us(threshold_us)
            bad = sum(count for name, count in bins.items() if name > limit)
            return sum(bins.values()), bad
        hour = cell_s // HOUR_S
        self.hours[hour] = merge((self.hours.get(hour, {}), bins))
        oldest = hour - 2 * TAUGHT_S // HOUR_S
        for old in [one for one in self.hours if one < oldest]:
            del self.hours[old]
        return 0, 0

    def threshold_us(self, at_s: int) -> int | None:
        """Return the longest good duration while batch runs; None while too little is known."""
        hour = at_s // HOUR_S
        if self._threshold[0] != hour:
            first = hour - TAUGHT_S // HOUR_S
            taught = merge(bins for one, bins in self.hours.items() if first <= one < hour)
            alone_ms = quantile_ms(taught, QUANTILE)
            if alone_ms is None or sum(taught.values()) < LEAST_REQUESTS:
                self._threshold = (hour, None)
            else:
                worse = 1 + float(self.indicator.allowed)
                self._threshold = (hour, round(alone_ms * MICROSECONDS_PER_MS * worse))
        return self._threshold[1]

    def snapshot(self) -> bytes:
        """Return what has been learnt."""
        hours = [[hour, [*bins.items()]] for hour, bins in self.hours.items()]
        return json.dumps({"version": SNAPSHOT_VERSION, "hours": hours}).encode()

    def restore(self, data: bytes) -> None:
        """Learn again what a snapshot holds."""
        kept = json.loads(data)
        if kept["version"] != SNAPSHOT_VERSION:
            raise StateError(
                f"a snapshot of batch isolation has version {kept['version']}, this release reads "
                f"{SNAPSHOT_VERSION}; start it with the release that wrote it"
            )
        self.hours = {hour: dict(map(tuple, bins)) for hour, bins in kept["hours"]}
        self._threshold = (-1, None)
