"""What every window and group must show, computed from the events one by one.

It shares no code with the pipeline: standard library only, lists of exact values instead of
sketches, and prices as a plain table of Decimals a million tokens.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

PICO = Decimal("1e-12")
CLASS_OF = {200: "successes", 400: "errors_4xx", 500: "errors_5xx"}
INPUT_BUCKETS = (
    "uncached_input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens",
    "audio_input_tokens", "image_input_tokens", "video_input_tokens",
)  # fmt: skip
OUTPUT_BUCKETS = (
    "text_output_tokens", "reasoning_tokens", "audio_output_tokens", "image_output_tokens",
)  # fmt: skip
SERVICE = (
    "workspace_id", "environment", "provider", "model", "model_version", "model_type", "region",
    "deployment_type", "traffic_class", "status_code", "error_type",
)  # fmt: skip
USAGE = (
    "workspace_id", "model", "virtual_model", "team_id", "user_id", "virtual_account_id",
    "status_class",
)  # fmt: skip
DEFAULTS = {"model_type": "text", "traffic_class": "realtime"}

Prices = Mapping[tuple[str, str], Mapping[str, Decimal]]
"""(provider, model) to USD a million of each bucket, or a unit of `images`."""


@dataclass
class Group:
    """Sums, money and every single duration of one window and group."""

    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    cost_usd: Decimal = Decimal(0)
    durations_us: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))


def microseconds(duration_ms: Any) -> int:
    """Return a wire duration as the integer microseconds of the contract."""
    return int((Decimal(str(duration_ms)) * 1000).to_integral_value(ROUND_HALF_EVEN))


def status_measure(code: int) -> str:
    """Return the name of the status class measure of a code."""
    if code == 429:
        return "rate_limited"
    if code == 499:
        return "client_aborted"
    return CLASS_OF.get(code // 100 * 100, "errors_other")


def status_class(code: int) -> str:
    """Return the status class of a code."""
    if code in {429, 499}:
        return str(code)
    return f"{code // 100}xx" if code // 100 in {2, 4, 5} else "other"


def tokens(event: Mapping[str, Any]) -> dict[str, int]:
    """Return totals and buckets with the remainders filled in."""
    result = {name: event.get(name) or 0 for name in (*INPUT_BUCKETS, *OUTPUT_BUCKETS)}
    for total, rest, buckets in (
        ("input_tokens", "uncached_input_tokens", INPUT_BUCKETS),
        ("output_tokens", "text_output_tokens", OUTPUT_BUCKETS),
    ):
        others = sum(result[name] for name in buckets if name != rest)
        if event.get(total) is None:
            result[total] = others + result[rest]
        else:
            result[total] = event[total]
            result[rest] = event[total] - others
    return result


def cost(event: Mapping[str, Any], prices: Prices) -> Decimal | None:
    """Return the price cost of an event, each bucket rounded to a pico-dollar; None unpriced."""
    rates = prices.get((event.get("provider", ""), event["model"]))
    if rates is None:
        return None
    total = Decimal(0)
    usage = {**tokens(event), "images": event.get("images", 0)}
    for name, rate in rates.items():
        billed = usage[name]
        if name == "images":
            billed = billed if event["status_code"] // 100 == 2 else 0
            total += (billed * rate).quantize(PICO, ROUND_HALF_EVEN)
        else:
            total += (billed * rate / 1_000_000).quantize(PICO, ROUND_HALF_EVEN)
    return total


def durations(event: Mapping[str, Any]) -> dict[str, int]:
    """Return the durations of an event that have a sketch, microseconds."""
    found = {
        name: microseconds(event[f"{name}_ms"])
        for name in ("queue", "ttft", "e2e")
        if event.get(f"{name}_ms") is not None
    }
    output = tokens(event)["output_tokens"]
    if output >= 2:
        if "e2e" in found and "ttft" in found:
            spread = Decimal(found["e2e"] - found["ttft"]) / (output - 1)
            found["tpot"] = int(spread.to_integral_value(ROUND_HALF_EVEN))
        elif event.get("tpot_ms") is not None:
            found["tpot"] = microseconds(event["tpot_ms"])
    return found


def dimensions(event: Mapping[str, Any], names: Iterable[str]) -> tuple[Any, ...]:
    """Return the group of an event in a cube."""
    derived = {
        "team_id": (event.get("team_ids") or [""])[0],
        "status_class": status_class(event["status_code"]),
    }
    return tuple(derived.get(name, event.get(name, DEFAULTS.get(name, ""))) for name in names)


def account(
    events: Iterable[Mapping[str, Any]],
    *,
    window_s: int,
    names: Iterable[str],
    prices: Prices,
) -> dict[tuple[Any, ...], Group]:
    """Return each (window start in s, group) with its exact content."""
    names = tuple(names)
    groups: dict[tuple[Any, ...], Group] = defaultdict(Group)
    for event in events:
        window = event["ts_end"] // (window_s * 1_000_000) * window_s
        group = groups[(window, *dimensions(event, names))]
        add(group, event, prices)
    return dict(groups)


def add(group: Group, event: Mapping[str, Any], prices: Prices) -> None:
    """Add one event to a group."""
    final = event.get("is_final", True)
    counts = group.counts
    counts["attempts"] += 1
    counts["requests"] += final
    counts[status_measure(event["status_code"])] += final
    for name, value in tokens(event).items():
        counts[name] += value
    for name in ("images", "characters"):
        counts[name] += event.get(name) or 0
    price = cost(event, prices)
    counts["unpriced_requests"] += price is None
    group.cost_usd += price or Decimal(0)
    if final:
        for name, value in durations(event).items():
            group.durations_us[name].append(value)


def quantile_us(values: list[int], q: float) -> int:
    """Return the exact quantile by nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]
