"""Imports LiteLLM's `model_prices_and_context_window.json`: dollars per unit, by model key.

Supported: token prices with cache, modality and reasoning variants, `_above_<n>k_tokens` tiers (for
the whole request, like `tiered_pricing` ranges), `_batches`, images, audio and video seconds,
characters, queries and requests. The map has no dates, so its prices hold always.
Reported and left out: service tiers (`_flex`, `_priority` ...), since events do not carry one;
regional multipliers, off-peak windows, pages, pixels, resolutions, searches, and other tools' fees.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from inferometer.core.price_import import ImportedPrices, exact_amount
from inferometer.core.price_match import Match
from inferometer.core.prices import NO_CONDITION, Condition, Price, ProviderRule, Unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from decimal import Decimal

NOT_MODELS = frozenset({"sample_spec", "fallback_generalizations"})

UNIT_OF_KEY: dict[str, Unit] = {
    "input_cost_per_token": Unit.UNCACHED_INPUT,
    "output_cost_per_token": Unit.TEXT_OUTPUT,
    "cache_read_input_token_cost": Unit.CACHE_READ,
    "input_cost_per_token_cache_hit": Unit.CACHE_READ,
    "cache_creation_input_token_cost": Unit.CACHE_WRITE_5M,
    "cache_creation_input_token_cost_above_1hr": Unit.CACHE_WRITE_1H,
    "output_cost_per_reasoning_token": Unit.REASONING,
    "input_cost_per_audio_token": Unit.AUDIO_INPUT,
    "output_cost_per_audio_token": Unit.AUDIO_OUTPUT,
    "input_cost_per_image_token": Unit.IMAGE_INPUT,
    "output_cost_per_image_token": Unit.IMAGE_OUTPUT,
    "input_cost_per_video_token": Unit.VIDEO_INPUT,
    "output_cost_per_image": Unit.IMAGES,
    "input_cost_per_audio_per_second": Unit.AUDIO_IN_SECONDS,
    "output_cost_per_video_per_second": Unit.VIDEO_SECONDS,
    "input_cost_per_request": Unit.REQUESTS,
}
UNIT_OF_MODE_KEY: dict[tuple[str, str], Unit] = {
    ("audio_transcription", "input_cost_per_second"): Unit.AUDIO_IN_SECONDS,
    ("audio_transcription", "output_cost_per_second"): Unit.AUDIO_IN_SECONDS,
    ("audio_speech", "output_cost_per_second"): Unit.AUDIO_OUT_SECONDS,
    ("audio_speech", "input_cost_per_character"): Unit.CHARACTERS,
    ("", "input_cost_per_character"): Unit.CHARACTERS,
    ("video_generation", "output_cost_per_second"): Unit.VIDEO_SECONDS,
    ("image_generation", "input_cost_per_image"): Unit.IMAGES,
    ("rerank", "input_cost_per_query"): Unit.REQUESTS,
    ("search", "input_cost_per_query"): Unit.REQUESTS,
}
"""Keys whose meaning hangs on the model's `mode`: a chat model's seconds are machine time."""

TIER = re.compile(r"_above_(\d{1,9})k_tokens", re.ASCII)
MAX_TIER_TOKENS = 10**12
SERVICE_TIERS = ("_flex", "_priority", "_ultrafast", "_balanced", "_decisions")
BATCH = "_batches"
PRICE_WORDS = ("cost", "pricing", "multiplier")

ALIASES: dict[str, tuple[str, ...]] = {
    "azure": ("azure.ai.openai",),
    "azure_ai": ("azure.ai.inference",),
    "bedrock": ("aws.bedrock",),
    "bedrock_converse": ("aws.bedrock", "bedrock"),
    "cohere_chat": ("cohere",),
    "fireworks_ai": ("fireworks",),
    "gemini": ("gcp.gemini", "gcp.gen_ai", "google"),
    "mistral": ("mistral_ai",),
    "moonshot": ("moonshot_ai", "moonshotai"),
    "text-completion-openai": ("openai",),
    "together_ai": ("together",),
    "watsonx": ("ibm.watsonx.ai",),
    "xai": ("x_ai", "x-ai"),
}
"""OpenTelemetry's `gen_ai.provider.name` and other common names of LiteLLM's providers."""
VERTEX_ALIASES = ("vertex_ai", "gcp.vertex_ai")


def import_litellm(models: Mapping[str, Any], *, source: str = "litellm") -> ImportedPrices:
    """Read the parsed map; its numbers must have been parsed as Decimal.

    Raises ValueError where it is no such map.
    """
    if not isinstance(models, dict) or not any(_is_model(entry) for entry in models.values()):
        raise ValueError("no model with a litellm_provider found: is this LiteLLM's price map?")
    found = ImportedPrices(source)
    bare: dict[str, list[Match]] = {}
    for key, entry in models.items():
        if key in NOT_MODELS:
            continue
        if not _is_model(entry):
            found.skip("an entry without litellm_provider", key)
            continue
        provider = entry["litellm_provider"]
        _import_model(found, key, entry, _match(key, provider, models))
        if "/" not in key:
            bare.setdefault(provider, []).append(Match.equals(key))
    providers = dict.fromkeys(price.provider for price in found.entries)
    found.providers = [_provider_rule(name, bare.get(name, [])) for name in providers]
    return found


def _is_model(entry: object) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("litellm_provider"), str)


def _match(key: str, provider: str, models: Mapping[str, Any]) -> Match:
    """Match the key, and the key without its provider where that is no key of this provider."""
    head, _, rest = key.partition("/")
    bare = models.get(rest)
    is_taken = isinstance(bare, dict) and bare.get("litellm_provider") == provider
    if rest and provider.startswith(head) and not is_taken:
        return Match.any_of((Match.equals(key), Match.equals(rest)))
    return Match.equals(key)


def _provider_rule(name: str, own_models: list[Match]) -> ProviderRule:
    aliases = ALIASES.get(name, VERTEX_ALIASES if name.startswith("vertex_ai-") else ())
    return ProviderRule(
        id=name,
        aliases=aliases,
        model_match=Match.any_of(tuple(own_models)) if own_models else None,
    )


def _import_model(found: ImportedPrices, key: str, entry: dict[str, Any], match: Match) -> None:
    amounts: dict[tuple[Unit, Condition], Decimal] = {}
    mode = entry.get("mode")
    mode = mode if isinstance(mode, str) else ""
    for name, value, condition in _price_keys(entry):
        unit = UNIT_OF_KEY.get(name) or UNIT_OF_MODE_KEY.get((mode, name))
        if name == "input_cost_per_image" and entry.get("output_cost_per_image"):
            unit = None  # Both together price what is sent and what is made; we bill what is made.
        amount = exact_amount(value)
        if unit is None:
            found.skip(_reason(name, mode), key)
        elif amount is None:
            found.skip(f"{name}: not a number", key)
        # Some units go by two keys; a model of speech often has 0 in the one that does not apply.
        elif amounts.setdefault((unit, condition), amount) == 0:
            amounts[unit, condition] = amount
        elif amount not in {0, amounts[unit, condition]}:
            found.skip(f"{name}: a second price for {unit}", key)
    before = len(found.entries)
    for (unit, condition), amount in amounts.items():
        found.add(
            Price(
                provider=entry["litellm_provider"],
                match=match,
                unit=unit,
                usd=amount,
                condition=condition,
                name=key,
                source=found.source,
            )
        )
    found.models += len(found.entries) > before


def _price_keys(entry: dict[str, Any]) -> Iterator[tuple[str, Any, Condition]]:
    """Yield every key that speaks of money, with the condition that its suffixes spell."""
    for name, value in entry.items():
        if value is None or not any(word in name for word in PRICE_WORDS):
            continue
        if name == "tiered_pricing" and isinstance(value, list):
            yield from _ranges(value)
            continue
        tier = TIER.search(name)
        plain = TIER.sub("", name).removesuffix(BATCH)
        yield (
            plain,
            value,
            Condition(
                min_input_tokens=int(tier[1]) * 1000 if tier else 0,
                traffic_class="batch" if name.endswith(BATCH) else "",
            ),
        )


def _ranges(ranges: list[Any]) -> Iterator[tuple[str, Any, Condition]]:
    for part in ranges:
        bounds = part.get("range") if isinstance(part, dict) else None
        start = exact_amount(bounds[0]) if isinstance(bounds, list) and bounds else None
        if start is None or not 0 <= start <= MAX_TIER_TOKENS:
            yield "tiered_pricing without a range", None, NO_CONDITION
            continue
        for name, value in part.items():
            if name != "range":
                yield name, value, Condition(min_input_tokens=int(start))


def _reason(name: str, mode: str) -> str:
    if name.endswith(SERVICE_TIERS):
        return f"{name}: events carry no service tier"
    if any(known == name for _, known in UNIT_OF_MODE_KEY):
        return f"{name} of mode {mode or 'none'}: no unit of the event contract"
    return f"{name}: no unit of the event contract"
