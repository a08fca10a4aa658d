"""What the seeded fleet serves: models with their habits, and what each unit of them costs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Offering:
    """One model: how often it is called, how it answers, what it counts."""

    model: str
    provider: str
    model_type: str = "text"
    operation: str = "chat"
    hosting: str = "third_party"
    deployment_type: str = "serverless"
    weight: int
    ttft_ms: float = 300.0
    """Median."""
    tpot_ms: float = 20.0
    input_tokens: int = 0
    """Median; none where it is nought."""
    output_tokens: int = 0
    is_reasoning: bool = False
    images: int = 0
    video_s: float = 0.0
    audio_in_s: float = 0.0
    audio_out_s: float = 0.0
    characters: int = 0


_OWN: Any = {"provider": "acme-gpu", "hosting": "hosted", "deployment_type": "dedicated"}

OFFERINGS = (
    Offering(model="gpt-4o-mini", provider="openai", weight=26, ttft_ms=320, tpot_ms=9,
             input_tokens=900, output_tokens=160),
    Offering(model="claude-sonnet", provider="anthropic", weight=18, ttft_ms=820, tpot_ms=17,
             input_tokens=2400, output_tokens=420, is_reasoning=True),
    Offering(model="llama-3.3-70b", weight=24, ttft_ms=410, tpot_ms=24, input_tokens=1300,
             output_tokens=240, **_OWN),
    Offering(model="qwen2.5-vl-72b", model_type="vision_language", weight=7, ttft_ms=690,
             tpot_ms=28, input_tokens=1700, output_tokens=130, **_OWN),
    Offering(model="gpt-realtime", provider="openai", model_type="omni", weight=3, ttft_ms=240,
             tpot_ms=12, input_tokens=600, output_tokens=200, audio_in_s=4.0),
    Offering(model="stable-diffusion-3.5-large", model_type="image", operation="image_generation",
             weight=6, ttft_ms=0, images=2, **_OWN),
    Offering(model="whisper-large-v3", model_type="audio", operation="transcription", weight=4,
             ttft_ms=0, audio_in_s=42.0, **_OWN),
    Offering(model="qwen3-tts", model_type="audio", operation="tts", weight=4, ttft_ms=180,
             audio_out_s=9.0, characters=420, **_OWN),
    Offering(model="wan-2.2", model_type="video", operation="video_generation", weight=1,
             ttft_ms=0, video_s=5.0, **_OWN),
    Offering(model="bge-m3", model_type="embedding", operation="embeddings", weight=5, ttft_ms=0,
             input_tokens=500, **_OWN),
    # Not in the price file: its attempts are unpriced, which is not the same as free.
    Offering(model="experimental-moe", weight=2, ttft_ms=510, tpot_ms=31, input_tokens=700,
             output_tokens=300, **_OWN),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rates:
    """USD of one model: a million of each token bucket, or one of another unit; as text."""

    per_million: dict[str, str] = field(default_factory=dict)
    per_unit: dict[str, str] = field(default_factory=dict)


PRICES: dict[tuple[str, str], Rates] = {
    ("openai", "gpt-4o-mini"): Rates(
        {
            "uncached_input_tokens": "0.15",
            "cache_read_tokens": "0.075",
            "text_output_tokens": "0.60",
        }
    ),
    ("anthropic", "claude-sonnet"): Rates(
        {
            "uncached_input_tokens": "3",
            "cache_read_tokens": "0.30",
            "text_output_tokens": "15",
            "reasoning_tokens": "15",
        }
    ),
    ("acme-gpu", "llama-3.3-70b"): Rates(
        {"uncached_input_tokens": "0.59", "cache_read_tokens": "0.12", "text_output_tokens": "0.79"}
    ),
    ("acme-gpu", "qwen2.5-vl-72b"): Rates(
        {
            "uncached_input_tokens": "0.70",
            "cache_read_tokens": "0.14",
            "image_input_tokens": "0.90",
            "text_output_tokens": "0.90",
        }
    ),
    # Its seconds of audio are not priced: partly priced, and said so.
    ("openai", "gpt-realtime"): Rates(
        {
            "uncached_input_tokens": "4",
            "cache_read_tokens": "0.40",
            "video_input_tokens": "5",
            "text_output_tokens": "16",
        }
    ),
    ("acme-gpu", "stable-diffusion-3.5-large"): Rates({}, {"images": "0.065"}),
    ("acme-gpu", "whisper-large-v3"): Rates({}, {"audio_in_seconds": "0.0001"}),
    ("acme-gpu", "qwen3-tts"): Rates({}, {"characters": "0.000013"}),
    ("acme-gpu", "wan-2.2"): Rates({}, {"video_seconds": "0.05"}),
    ("acme-gpu", "bge-m3"): Rates({"uncached_input_tokens": "0.01", "cache_read_tokens": "0.01"}),
}
PRICES_LABEL = "seeded-2026"


def price_document() -> dict[str, object]:
    """Return the prices as a file of the product's own format."""
    lines = [
        {"provider": provider, "model": model, "unit": unit, key: amount}
        for (provider, model), rates in PRICES.items()
        for key, amounts in (("usd_per_mtok", rates.per_million), ("usd_per_unit", rates.per_unit))
        for unit, amount in amounts.items()
    ]
    return {"format": "inferometer.prices.v1", "label": PRICES_LABEL, "prices": lines}
