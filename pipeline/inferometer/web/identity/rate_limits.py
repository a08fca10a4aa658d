"""How many requests each token may make: a bucket that fills at a rate and empties by use."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_KEYS = 10_000


class RateLimits:
    """One bucket a key; the least used are forgotten, which fills them. For one thread."""

    def __init__(
        self,
        *,
        per_s: float,
        burst: float,
        monotonic: Callable[[], float],
        max_keys: int = MAX_KEYS,
    ) -> None:
        """Allow `per_s` in the long run, and `burst` at once."""
        self._per_s = per_s
        self._burst = max(burst, 1.0)
        self._monotonic = monotonic
        self._max_keys = max_keys
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> float:
        """Take one; return 0, or after how many seconds there will be one again."""
        now_s = self._monotonic()
        left, at_s = self._buckets.pop(key, (self._burst, now_s))
        left = min(self._burst, left + (now_s - at_s) * self._per_s)
        is_allowed = left >= 1.0
        self._buckets[key] = (left - 1.0 if is_allowed else left, now_s)
        while len(self._buckets) > self._max_keys:
            self._buckets.popitem(last=False)
        return 0.0 if is_allowed else (1.0 - left) / self._per_s
