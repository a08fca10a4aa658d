"""The models of the simulated fleet: what is served where, how fast, and how it is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal["tokens", "embedding", "image", "speech", "transcript"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedModel:
    """One model as the fleet serves it; times are medians of log-normal distributions."""

    provider: str
    model: str
    share: float
    """Part of all requests; the shares of a fleet sum to 1."""
    unit: Unit = "tokens"
    operation: str = "chat"
    model_type: str = "text"
    model_version: str = ""
    virtual_model: str = ""
    hosting: str = "third_party"
    deployment_type: str = "serverless"
    gpu_type: str = ""
    gpu_count: int = 0
    input_tokens: float = 0.0
    output_tokens: float = 0.0
    prefill_ms: float = 0.0
    """To the first token, queue left out; for units without tokens, to the whole answer."""
    gap_ms: float = 0.0
    stream_share: float = 0.0
    cache_read_share: float = 0.0
    """Part of the requests that read a prompt cache."""
    cache_write_share: float = 0.0
    reasoning: float = 0.0
    """Part of the output tokens that is reasoning."""


MODELS = (
    SimulatedModel(
        provider="openai", model="gpt-5-mini", share=0.18, virtual_model="assistant",
        input_tokens=900, output_tokens=220, prefill_ms=310, gap_ms=9, stream_share=0.85,
        cache_read_share=0.5, reasoning=0.4,
    ),
    SimulatedModel(
        provider="openai", model="gpt-4o", share=0.10, virtual_model="vision",
        model_type="vision_language", model_version="2024-11-20", input_tokens=1300,
        output_tokens=160, prefill_ms=420, gap_ms=13, stream_share=0.7, cache_read_share=0.3,
    ),
    SimulatedModel(
        provider="anthropic", model="claude-sonnet-4-5", share=0.15, virtual_model="coder",
        model_version="20250929", input_tokens=5200, output_tokens=420, prefill_ms=780, gap_ms=15,
        stream_share=0.9, cache_read_share=0.7, cache_write_share=0.15,
    ),
    SimulatedModel(
        provider="google", model="gemini-2.5-flash", share=0.13, virtual_model="assistant",
        input_tokens=1500, output_tokens=260, prefill_ms=240, gap_ms=6, stream_share=0.8,
        cache_read_share=0.25, reasoning=0.2,
    ),
    SimulatedModel(
        provider="deepseek", model="deepseek-reasoner", share=0.08, virtual_model="reasoner",
        input_tokens=1100, output_tokens=900, prefill_ms=900, gap_ms=28, stream_share=0.95,
        cache_read_share=0.3, reasoning=0.75,
    ),
    SimulatedModel(
        provider="mistral", model="mistral-small-latest", share=0.07, virtual_model="summary",
        input_tokens=2400, output_tokens=130, prefill_ms=180, gap_ms=7, stream_share=0.4,
    ),
    SimulatedModel(
        provider="self_hosted", model="acme-llama-70b-ft", share=0.12, virtual_model="support",
        model_version="2026-03", hosting="hosted", deployment_type="dedicated",
        gpu_type="H100-SXM", gpu_count=4, input_tokens=700, output_tokens=240, prefill_ms=150,
        gap_ms=18, stream_share=0.9,
    ),
    SimulatedModel(
        provider="openai", model="text-embedding-3-small", share=0.08, unit="embedding",
        operation="embeddings", model_type="embedding", input_tokens=420, prefill_ms=60,
    ),
    SimulatedModel(
        provider="openai", model="gpt-image-1-mini", share=0.03, unit="image",
        operation="image_generation", model_type="image", input_tokens=60, output_tokens=1056,
        prefill_ms=9_000,
    ),
    SimulatedModel(
        provider="self_hosted", model="qwen3-tts", share=0.03, unit="speech", operation="tts",
        model_type="audio", hosting="hosted", deployment_type="dedicated", gpu_type="L40S",
        gpu_count=1, prefill_ms=700, stream_share=0.5,
    ),
    SimulatedModel(
        provider="openai", model="gpt-4o-transcribe", share=0.03, unit="transcript",
        operation="asr", model_type="audio", prefill_ms=1_400,
    ),
)  # fmt: skip
"""Hosted names are those of the public price lists; the fleet's own models have no price."""

REGIONS = ("eu-west-1", "us-east-1", "us-west-2", "ap-southeast-1")
ENVIRONMENTS = ("production", "production", "production", "staging")
FEATURES = ("search", "chat", "autocomplete", "summary", "agent", "")
TIERS = ("gold", "silver", "free")
TEAMS = 24
USERS = 2_000
VIRTUAL_ACCOUNTS = 60
NODES_PER_REGION = 16
