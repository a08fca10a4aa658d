"""The last minutes by second, as a store answers them again and again."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from inferometer.core.query.plans import OTHER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SNAPSHOT_S = 300
AGAIN_S = 30
"""How many seconds are asked again each time: what came late corrects them."""
NUMBERS = ("requests", "failures", "output_tokens", "cost_usd")
MOST_MODELS = 30
"""Those beyond them are one more, `__other__`."""
_SECOND = timedelta(seconds=1)


class LiveWindow:
    """The numbers of each model in each of the last seconds."""

    def __init__(self) -> None:
        self.now: datetime | None = None
        self.watermark: datetime | None = None
        self._seconds: dict[datetime, dict[str, Mapping[str, Any]]] = {}

    @property
    def is_empty(self) -> bool:
        """Whether it has to be read from its start."""
        return self.now is None

    def span(self, now: datetime) -> tuple[datetime, datetime]:
        """Return which seconds to ask for now: all of them at first, then the last ones again."""
        until = whole_second(now)
        back_s = SNAPSHOT_S
        if self.now is not None:
            missed_s = (until - whole_second(self.now)).total_seconds()
            back_s = min(SNAPSHOT_S, AGAIN_S + int(missed_s) - 1)
        return until - timedelta(seconds=max(back_s, AGAIN_S)), until

    def take(
        self,
        rows: Iterable[Mapping[str, Any]],
        since: datetime,
        until: datetime,
        now: datetime,
        watermark: datetime | None,
    ) -> None:
        """Put the rows of [since, until) in place of what was known of it."""
        found: dict[datetime, dict[str, Mapping[str, Any]]] = defaultdict(dict)
        for row in rows:
            found[whole_second(row["at"])][str(row["model"])] = row
        oldest = until - timedelta(seconds=SNAPSHOT_S)
        kept = {at: models for at, models in self._seconds.items() if oldest <= at < since}
        self._seconds = {**kept, **found}
        self.now, self.watermark = now, watermark

    def document(self, last_s: int, models: Sequence[str] = ()) -> dict[str, Any]:
        """Return the last seconds of all models, or of these."""
        if self.now is None:
            return {}
        until = whole_second(self.now)
        seconds = [until - _SECOND * back for back in range(last_s, 0, -1)]
        return {
            "now": self.now,
            "watermark": self.watermark,
            "seconds": seconds,
            **self._numbers(seconds, self._own(models), frozenset(models)),
        }

    def _own(self, models: Sequence[str]) -> frozenset[str]:
        """Return the models that have lists of their own: the busiest of the whole window."""
        requests: Counter[str] = Counter()
        for rows in self._seconds.values():
            for model, row in rows.items():
                if not models or model in models:
                    requests[model] += row["requests"]
        return frozenset(model for model, _ in requests.most_common(MOST_MODELS))

    def _numbers(
        self, seconds: Sequence[datetime], own: frozenset[str], asked: frozenset[str]
    ) -> dict[str, Any]:
        lists: dict[str, dict[str, list[Any]]] = {number: {} for number in NUMBERS}
        for place, at in enumerate(seconds):
            for model, row in self._seconds.get(at, {}).items():
                if asked and model not in asked:
                    continue
                name = model if model in own else OTHER
                for number in NUMBERS:
                    numbers = lists[number].setdefault(name, [0] * len(seconds))
                    numbers[place] += row[number]
        return {"models": sorted(lists[NUMBERS[0]]), **lists}


def whole_second(at: datetime) -> datetime:
    """Return the second that an instant is in."""
    return at.astimezone(UTC).replace(microsecond=0)
