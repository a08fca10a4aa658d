"""What every page must show, computed from the sent events one by one, in straight Python.

Shares no code with the pipeline or the query API: exact lists instead of sketches, Decimal money.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Any

from tests.browser.offerings import PRICES
from tests.oracle import account

if TYPE_CHECKING:
    from tests.browser.data_set import Sent

PICO = Decimal("1e-12")
MILLION = 1_000_000
CLASSES = {
    "successes": "2xx",
    "errors_4xx": "4xx",
    "rate_limited": "429",
    "client_aborted": "499",
    "errors_5xx": "5xx",
    "errors_other": "other",
}
RATIOS = {
    "success_ratio": "successes",
    "error_4xx_ratio": "errors_4xx",
    "rate_limited_ratio": "rate_limited",
    "client_aborted_ratio": "client_aborted",
    "error_5xx_ratio": "errors_5xx",
    "failure_ratio": "failures",
}
MEDIA = ("images", "characters", "egress_bytes")
SECONDS = {
    "audio_s": "audio_out_seconds",
    "audio_in_s": "audio_in_seconds",
    "video_s": "video_seconds",
    "gpu_s": "gpu_seconds",
}
ON_SUCCESS = {"images", "video_seconds"}
COVERED = {"audio_out_seconds": "characters"}
"""Seconds of speech that is billed by the character lack no price."""

COUNTERS = {
    "attempts",
    "requests",
    "failures",
    *CLASSES,
    *MEDIA,
    "cold_starts",
    "input_tokens",
    "output_tokens",
    *account.INPUT_BUCKETS,
    *account.OUTPUT_BUCKETS,
    "unpriced_requests",
    "partially_priced_requests",
}

Number = int | float | Decimal | None
Where = Callable[[dict[str, Any]], bool]


@dataclass
class Totals:
    """Everything of one group in one span."""

    span_s: float
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    seconds: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    cost_usd: Decimal = Decimal(0)
    durations_us: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Of final successes."""

    def add(self, sent: Sent) -> None:
        """Count one attempt."""
        event = sent.event or {}
        final = int(event.get("is_final", True))
        self.counts["attempts"] += 1
        self.counts["requests"] += final
        name = account.status_measure(event["status_code"])
        self.counts[name] += final
        self.counts["failures"] += final * (name != "successes")
        for bucket, tokens in account.tokens(event).items():
            self.counts[bucket] += tokens
        for name in MEDIA:
            self.counts[name] += event.get(name) or 0
        self.counts["cold_starts"] += event.get("cold_start", False)
        for name, wire in SECONDS.items():
            self.seconds[name] += Decimal(str(event.get(wire) or 0))
        self._charge(event)
        if final and event["status_code"] // 100 == 2:
            for name, value in account.durations(event).items():
                self.durations_us[name].append(value)
            self.durations_us["itl"] += sent.gaps_us

    def _charge(self, event: dict[str, Any]) -> None:
        status, amount = cost(event)
        self.cost_usd += amount
        self.counts["unpriced_requests"] += status == "unpriced"
        self.counts["partially_priced_requests"] += status == "partial"

    def measure(self, name: str) -> Number:
        """Return a measure by its name in the query API; None where it cannot be said."""
        simple = self._simple(name)
        if simple is not _UNKNOWN:
            return simple  # type: ignore[return-value]
        if name in RATIOS:
            return _ratio(self.counts[RATIOS[name]], self.counts["requests"])
        duration, _, rest = name.partition("_")
        values = self.durations_us[duration]
        if not values:
            return None
        if rest == "mean_ms":
            return statistics.fmean(values) / 1000
        assert rest.startswith("p")
        q = float(rest.removeprefix("p").removesuffix("_ms")) / 100
        return account.quantile_us(values, q) / 1000

    def _simple(self, name: str) -> object:
        counts = self.counts
        both = counts["input_tokens"] + counts["output_tokens"]
        derived: dict[str, Number] = {
            "cost_usd": self.cost_usd,
            "total_tokens": both,
            "rps": counts["requests"] / self.span_s,
            "rpm": counts["requests"] / self.span_s * 60,
            "tpm": both / self.span_s * 60,
            "retry_inflation": _ratio(counts["attempts"], counts["requests"]),
            "cost_per_request_usd": _ratio(self.cost_usd, counts["requests"]),
            "cost_per_1k_requests_usd": _ratio(self.cost_usd * 1000, counts["requests"]),
            "cost_per_success_usd": _ratio(self.cost_usd, counts["successes"]),
        }
        if name in derived:
            return derived[name]
        if name in SECONDS:
            return self.seconds[name]
        return counts[name] if name in COUNTERS else _UNKNOWN


_UNKNOWN = object()


def _ratio(part: int | Decimal, whole: int) -> float | None:
    return float(part) / whole if whole else None


def cost(event: dict[str, Any]) -> tuple[str, Decimal]:
    """Return the status of an attempt's price and its cost, each unit rounded to a pico-dollar."""
    rates = PRICES.get((event.get("provider", ""), event["model"]))
    if rates is None:
        return "unpriced", Decimal(0)
    is_success = event["status_code"] // 100 == 2
    tokens = account.tokens(event)
    used: dict[str, Decimal] = {
        name: Decimal(tokens[name])
        for name in (*account.INPUT_BUCKETS, *account.OUTPUT_BUCKETS)
        if tokens[name]
    }
    for name in ("images", "characters", *SECONDS.values()):
        billed = name != "gpu_seconds" and (is_success or name not in ON_SUCCESS)
        if billed and event.get(name):
            used[name] = Decimal(str(event[name]))
    total, missing, priced = Decimal(0), False, False
    for name, quantity in used.items():
        if name in rates.per_million:
            amount = quantity * Decimal(rates.per_million[name]) / MILLION
        elif name in rates.per_unit:
            amount = quantity * Decimal(rates.per_unit[name])
        else:
            missing |= COVERED.get(name) not in rates.per_unit
            continue
        priced = True
        total += amount.quantize(PICO, ROUND_HALF_EVEN)
    return ("partial" if priced else "unpriced") if missing else "priced", total


def value_of(event: dict[str, Any], dimension: str) -> str:
    """Return what an attempt has of a dimension, as text; nothing where it lacks it."""
    if dimension.startswith("metadata."):
        return str(event.get("metadata", {}).get(dimension.removeprefix("metadata."), ""))
    (value,) = account.dimensions(event, [dimension])
    return str(value)


class Oracle:
    """Answers for any span, any filter and any grouping of the sent events."""

    def __init__(self, events: Sequence[Sent]) -> None:
        self._events = list(events)

    def hear(self, events: Iterable[Sent]) -> None:
        """Take up more attempts, which were sent later."""
        self._events.extend(events)

    def sent(
        self, start_us: int, end_us: int, where: Where = lambda _event: True
    ) -> Iterator[Sent]:
        """Yield the attempts that ended in a span and hold a condition."""
        for sent in self._events:
            event = sent.event or {}
            if start_us <= event["ts_end"] < end_us and where(event):
                yield sent

    def total(self, start_us: int, end_us: int, where: Where = lambda _event: True) -> Totals:
        """Return everything of a span, over all groups."""
        return _added(Totals((end_us - start_us) / 1e6), self.sent(start_us, end_us, where))

    def groups(
        self,
        start_us: int,
        end_us: int,
        by: Iterable[str],
        where: Where = lambda _event: True,
    ) -> dict[tuple[str, ...], Totals]:
        """Return everything of a span, by the values of some dimensions."""
        by = tuple(by)
        found: dict[tuple[str, ...], Totals] = defaultdict(
            lambda: Totals((end_us - start_us) / 1e6)
        )
        for sent in self.sent(start_us, end_us, where):
            found[tuple(value_of(sent.event or {}, name) for name in by)].add(sent)
        return dict(found)

    def windows(
        self,
        start_us: int,
        end_us: int,
        window_s: int,
        where: Where = lambda _event: True,
    ) -> list[Totals]:
        """Return everything of a span, window by window; the span begins at the start of one."""
        window_us = window_s * MILLION
        found = [Totals(float(window_s)) for _ in range(start_us, end_us, window_us)]
        for sent in self.sent(start_us, end_us, where):
            found[((sent.event or {})["ts_end"] - start_us) // window_us].add(sent)
        return found


def _added(totals: Totals, events: Iterable[Sent]) -> Totals:
    for sent in events:
        totals.add(sent)
    return totals


def workspace(name: str, **equal: object) -> Where:
    """Return the condition that attempts are a workspace's and have these values."""
    wanted = {"workspace_id": name, **equal}
    return lambda event: all(value_of(event, key) == str(value) for key, value in wanted.items())
