"""Imports the genai-prices data (pydantic/genai-prices): dollars per million, with dates and tiers.

Supported: flat and tiered prices (a tier holds for the whole request once its input total exceeds
the start), lists of prices by start date, daily windows in UTC, `processing: batch` variants, all
match rules, provider rules and fallbacks between providers.
Reported and left out: variants by service tier, speed, route or search type, since events carry
none of those; prices of units that the event contract has not (cached audio, searches, pages ...).
A daily window overrides unit by unit; a unit that only the list around it prices keeps that price.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

from inferometer.core.price_import import ImportedPrices, exact_amount
from inferometer.core.price_match import Match
from inferometer.core.prices import (
    ALWAYS_FROM_US,
    ALWAYS_TO_US,
    NO_CONDITION,
    Condition,
    Price,
    ProviderRule,
    Unit,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MILLION, THOUSAND, HOUR_S = 1_000_000, 1_000, 3_600

UNITS_OF_KEY: dict[str, tuple[tuple[Unit, ...], int]] = {
    "input_mtok": ((Unit.UNCACHED_INPUT,), MILLION),
    "output_mtok": ((Unit.TEXT_OUTPUT,), MILLION),
    "cache_read_mtok": ((Unit.CACHE_READ,), MILLION),
    "cache_write_mtok": ((Unit.CACHE_WRITE_5M,), MILLION),
    "cache_write_5m_mtok": ((Unit.CACHE_WRITE_5M,), MILLION),
    "cache_write_1h_mtok": ((Unit.CACHE_WRITE_1H,), MILLION),
    "input_audio_mtok": ((Unit.AUDIO_INPUT,), MILLION),
    "input_image_mtok": ((Unit.IMAGE_INPUT,), MILLION),
    "input_video_mtok": ((Unit.VIDEO_INPUT,), MILLION),
    "output_reasoning_mtok": ((Unit.REASONING,), MILLION),
    "output_audio_mtok": ((Unit.AUDIO_OUTPUT,), MILLION),
    "output_image_mtok": ((Unit.IMAGE_OUTPUT,), MILLION),
    "input_mchars": ((Unit.CHARACTERS,), MILLION),
    "audio_hours": ((Unit.AUDIO_IN_SECONDS, Unit.AUDIO_OUT_SECONDS), HOUR_S),
    "input_audio_hours": ((Unit.AUDIO_IN_SECONDS,), HOUR_S),
    "output_audio_hours": ((Unit.AUDIO_OUT_SECONDS,), HOUR_S),
    "requests_kcount": ((Unit.REQUESTS,), THOUSAND),
}
GENERAL_KEYS: dict[Unit, tuple[str, str]] = {
    Unit.AUDIO_IN_SECONDS: ("audio_hours", "input_audio_hours"),
    Unit.AUDIO_OUT_SECONDS: ("audio_hours", "output_audio_hours"),
    Unit.CACHE_WRITE_5M: ("cache_write_mtok", "cache_write_5m_mtok"),
}
"""Of two keys for one unit, the second is the specific one and wins."""

ALIASES: dict[str, tuple[str, ...]] = {
    "aws": ("aws.bedrock", "bedrock"),
    "azure": ("azure.ai.openai", "azure.ai.inference", "azure_ai", "azure_openai"),
    "fireworks": ("fireworks_ai", "fireworks-ai"),
    "google": ("gcp.gemini", "gcp.vertex_ai", "gcp.gen_ai", "vertex_ai"),
    "mistral": ("mistral_ai",),
    "moonshotai": ("moonshot_ai", "moonshot"),
    "together": ("together_ai",),
    "x-ai": ("x_ai", "xai"),
}
"""OpenTelemetry's `gen_ai.provider.name` and LiteLLM's names of the data's providers."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class _Constraint:
    """When a list holds: from a date on, or in a daily window."""

    start_us: int = ALWAYS_FROM_US
    window: Condition = NO_CONDITION

    @classmethod
    def of(cls, raw: dict[str, Any] | None) -> Self:
        if not raw:
            return cls()
        if set(raw) == {"start_date"}:
            start = datetime.combine(date.fromisoformat(raw["start_date"]), time(), tzinfo=UTC)
            return cls(start_us=(start - EPOCH) // MICROSECOND)
        if set(raw) == {"start_time", "end_time"}:
            return cls(
                window=Condition(
                    daily_from_us=_time_of_day_us(raw["start_time"]),
                    daily_to_us=_time_of_day_us(raw["end_time"]),
                )
            )
        raise ValueError(f"unknown constraint {', '.join(sorted(raw))}")


_Dated = tuple[_Constraint, dict[str, Any]]


def import_genai_prices(
    providers: Sequence[Any], *, source: str = "genai-prices"
) -> ImportedPrices:
    """Read the parsed `data.json`; its numbers must have been parsed as Decimal.

    Raises ValueError where it is no such list.
    """
    if not isinstance(providers, list) or not all(
        isinstance(provider, dict)
        and isinstance(provider.get("id"), str)
        and isinstance(provider.get("models"), list)
        for provider in providers
    ):
        raise ValueError(
            "not a list of providers with id and models: is this genai-prices' data.json?"
        )
    found = ImportedPrices(source)
    for provider in providers:
        found.providers.append(_provider_rule(provider))
        for model in provider["models"]:
            _import_model(found, provider["id"], model)
    return found


def _provider_rule(provider: dict[str, Any]) -> ProviderRule:
    match, model_match = provider.get("provider_match"), provider.get("model_match")
    return ProviderRule(
        id=provider["id"],
        aliases=ALIASES.get(provider["id"], ()),
        match=Match.from_rule(match) if match else None,
        model_match=Match.from_rule(model_match) if model_match else None,
        fallbacks=tuple(provider.get("fallback_model_providers") or ()),
    )


def _import_model(found: ImportedPrices, provider: str, model: Any) -> None:
    name = f"{provider}/{model.get('id') if isinstance(model, dict) else model}"
    try:
        match = Match.from_rule(model["match"])
        lists = model["prices"] if isinstance(model["prices"], list) else [model]
        dated = [_dated(part) for part in lists]
        variants = [
            _dated(variant)
            for variant in model.get("price_variants") or ()
            if _is_batch(found, name, variant)
        ]
        if not isinstance(model["id"], str) or not dated:
            raise ValueError("no id that is text, or no prices")  # noqa: TRY301 - as the readers above do
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        found.skip(f"a model that does not read ({error})", name)
        return
    blank = Price(
        provider=provider, match=match, unit=Unit.REQUESTS, usd=Decimal(0),
        name=model["id"], source=found.source,
    )  # fmt: skip
    before = len(found.entries)
    _add_dated(found, blank, dated)
    _add_batch(found, blank, variants)
    found.models += len(found.entries) > before


def _dated(part: dict[str, Any]) -> _Dated:
    prices = part["prices"]
    if not isinstance(prices, dict):
        raise TypeError(f"prices are {prices!r:.40}")
    return _Constraint.of(part.get("constraint")), prices


def _time_of_day_us(text: str) -> int:
    moment = datetime.combine(EPOCH.date(), time.fromisoformat(text))
    moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    return timedelta(hours=moment.hour, minutes=moment.minute, seconds=moment.second) // MICROSECOND


def _is_batch(found: ImportedPrices, name: str, variant: dict[str, Any]) -> bool:
    when = variant["when"]
    if when == {"processing": "batch"} and "start_time" not in (variant.get("constraint") or {}):
        return True
    if variant["prices"]:
        keys = ", ".join(f"{key}={value}" for key, value in sorted(when.items()))
        found.skip(f"variant {keys}: events carry no such choice", name)
    return False


def _periods(lists: Sequence[_Dated]) -> Iterator[tuple[int, int]]:
    starts = sorted({ALWAYS_FROM_US, *(constraint.start_us for constraint, _ in lists)})
    return zip(starts, [*starts[1:], ALWAYS_TO_US], strict=True)


def _add_dated(found: ImportedPrices, blank: Price, lists: Sequence[_Dated]) -> None:
    """Add the lists so that at any time the last active one holds, or the first if none is."""
    for start_us, end_us in _periods(lists):
        active = [
            index
            for index, (constraint, _) in enumerate(lists)
            if constraint.window is NO_CONDITION and constraint.start_us <= start_us
        ]
        chosen = max(active, default=-1)
        period = replace(blank, effective_from_us=start_us, effective_to_us=end_us)
        _add_list(found, period, lists[max(chosen, 0)][1], NO_CONDITION)
        for constraint, prices in lists[chosen + 1 :]:
            if constraint.window is not NO_CONDITION:
                _add_list(found, period, prices, constraint.window)


def _add_batch(found: ImportedPrices, blank: Price, variants: Sequence[_Dated]) -> None:
    """Add batch prices: at any time, for each key, those of the first active variant."""
    for start_us, end_us in _periods(variants):
        merged: dict[str, Any] = {}
        for constraint, prices in variants:
            if constraint.start_us <= start_us:
                merged = {**prices, **merged}
        period = replace(blank, effective_from_us=start_us, effective_to_us=end_us)
        _add_list(found, period, merged, Condition(traffic_class="batch"))


def _add_list(
    found: ImportedPrices, period: Price, prices: dict[str, Any], condition: Condition
) -> None:
    name = f"{period.provider}/{period.name}"
    for key, value in prices.items():
        units, per = UNITS_OF_KEY.get(key, ((), 1))
        if not units:
            found.skip(f"{key}: no unit of the event contract", name)
        for unit in units:
            general, specific = GENERAL_KEYS.get(unit, ("", ""))
            if key == general and specific in prices:
                continue
            for amount, threshold in _tiers(found, name, value):
                found.add(
                    replace(
                        period,
                        unit=unit,
                        usd=amount,
                        per=per,
                        condition=replace(condition, min_input_tokens=threshold),
                    )
                )


def _tiers(found: ImportedPrices, name: str, value: object) -> Iterator[tuple[Decimal, int]]:
    """Yield each amount with the input total above which it holds."""
    tiered: dict[str, Any] = value if isinstance(value, dict) else {"base": value}
    tiers = tiered.get("tiers", [])
    for amount, threshold in [
        (tiered.get("base"), 0),
        *(
            (tier.get("price"), tier.get("start")) if isinstance(tier, dict) else (None, None)
            for tier in (tiers if isinstance(tiers, list) else [tiers])
        ),
    ]:
        exact = exact_amount(amount)
        if exact is None or not isinstance(threshold, int):
            found.skip("a price that is not a number", name)
        else:
            yield exact, threshold
