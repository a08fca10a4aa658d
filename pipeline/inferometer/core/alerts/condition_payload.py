"""What the conditions of a notice say: as data, and as a line for people.

Invariant: the unit of a condition decides what its numbers are called, so that money is never shown
as a count of failures.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inferometer.core.alerts.notices import ConditionFacts, WindowFacts

UNITS_S = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
MICRO_USD = "micro-usd"
"""Windows of what was spent and what was expected, in millionths of a dollar."""
ATTEMPTS = "attempts"
"""Windows of attempts and requests."""
SHARE = "share "
SECONDS = "s"
USD = "usd"


def duration(seconds: int) -> str:
    """Return a duration in its largest whole unit, days at most: `30d`, `6h`, `90s`."""
    for unit in ("d", "h", "m"):
        if seconds and seconds % UNITS_S[unit] == 0:
            return f"{seconds // UNITS_S[unit]}{unit}"
    return f"{seconds}s"


def rough_duration(seconds: int) -> str:
    """Return a duration for people, in its two largest units: `2d 12h`."""
    parts: list[str] = []
    for unit in ("d", "h", "m", "s"):
        count, seconds = divmod(seconds, UNITS_S[unit])
        if count or (unit == "s" and not parts):
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])


def finite(value: float | None) -> float | None:
    """Return a number that JSON has; None for the others."""
    return value if value is not None and math.isfinite(value) else None


def condition_data(facts: ConditionFacts) -> dict[str, Any]:
    """Return a condition as JSON values."""
    found: dict[str, Any] = {
        "rule": facts.rule,
        "severity": str(facts.severity),
        "true": facts.is_true,
    }
    has_windows = facts.long is not None or facts.short is not None
    if has_windows and not facts.unit:
        found["burn"] = finite(facts.threshold)
    else:
        found |= {
            "threshold": finite(facts.threshold),
            "value": finite(facts.value),
            "unit": facts.unit,
        }
    if has_windows:
        found |= {
            "long": _window(facts.long, facts.unit),
            "short": _window(facts.short, facts.unit),
        }
    return found | {"p_value": finite(facts.p_value)}


def _window(facts: WindowFacts | None, unit: str) -> dict[str, Any] | None:
    if facts is None:
        return None
    length, ratio = duration(facts.window_s), finite(facts.burn)
    if unit == MICRO_USD:
        spent, expected = _usd(facts.bad), _usd(facts.total)
        return {"w": length, "ratio": ratio, "spent_usd": spent, "expected_usd": expected}
    if unit == ATTEMPTS:
        return {"w": length, "ratio": ratio, "attempts": facts.bad, "requests": facts.total}
    return {"w": length, "burn": ratio, "bad": facts.bad, "total": facts.total}


def condition_text(facts: ConditionFacts) -> str:
    """Return the numbers of one condition as people read them."""
    window = facts.long or facts.short
    if window is None or (facts.unit.startswith(SHARE) and facts.value is not None):
        return f"{facts.rule}{_value_text(facts)}{_counts_text(window)}"
    text = f"{facts.rule} {_window_text(window, facts.unit)}"
    if facts.long is not None and facts.short is not None:
        text += f", {facts.short.burn:.4g} over {duration(facts.short.window_s)}"
    return text if not facts.unit else f"{text} (limit {facts.threshold:.4g})"


def _window_text(window: WindowFacts, unit: str) -> str:
    length = duration(window.window_s)
    if unit == MICRO_USD:
        spent, expected = (Decimal(one) / 1_000_000 for one in (window.bad, window.total))
        return (
            f"spent ${spent:,.2f} over {length}, expected ${expected:,.2f}: "
            f"{window.burn:.4g} times as much"
        )
    if unit == ATTEMPTS:
        return (
            f"{window.bad} attempts for {window.total} requests over {length}: "
            f"{window.burn:.4g} each"
        )
    return (
        f"burns {window.burn:.4g} times too fast over {length} ({window.bad} of {window.total} bad)"
    )


def _value_text(facts: ConditionFacts) -> str:
    limit, value, unit = facts.threshold, facts.value, facts.unit
    if value is None:
        return f" (limit {limit:.4g}{unit and f' {unit}'})"
    if unit.startswith(SHARE):
        return f": {value:.1%} {unit.removeprefix(SHARE)}"
    if unit == USD:
        return f": ${value:,.2f} (limit ${limit:,.2f})"
    if unit.partition(" ")[0] == SECONDS and math.isfinite(value):
        what = unit.removeprefix(SECONDS)
        return f": {rough_duration(max(0, int(value)))}{what} (limit {rough_duration(int(limit))})"
    return f" {value:.4g}{unit and f' {unit}'} (limit {limit:.4g})"


def _counts_text(window: WindowFacts | None) -> str:
    if window is None:
        return ""
    return f", {window.bad} of {window.total} bad over {duration(window.window_s)}"


def _usd(micro: int) -> str:
    return str(Decimal(micro).scaleb(-6))
