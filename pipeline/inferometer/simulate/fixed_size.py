"""Events of a fixed size and shape for benchmarks, made fast from a template.

Full events are about 850 bytes of JSON with 33 fields, lean ones 240 bytes with 11.
Latencies, tokens, users and statuses vary as in production, because a sketch over one value or a
dictionary of one user would flatter whatever is measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from inferometer.simulate import catalogue
from inferometer.simulate.fleet import gaps

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK = 4096
_MODELS = tuple(
    model for model in catalogue.MODELS if model.unit == "tokens" and model.virtual_model
)
_SKETCHES = 512

_FULL = (
    b'{"event_id":"%s","source":"gw-%02d","ts":%d,"ts_end":%d,"workspace_id":"ws-%d",'
    b'"environment":"prod","request_id":"req-%s","trace_id":"%s","operation":"chat",'
    b'"provider":"%s","model":"%s","virtual_model":"%s","deployment_type":"serverless",'
    b'"user_id":"user-%04d","team_ids":["team-%02d"],"virtual_account_id":"va-%02d",'
    b'"feature":"%s","metadata":{"app":"app-%d","tier":"%s"},"stream":true,"status_code":%d,'
    b'"finish_reason":"%s","input_tokens":%d,"output_tokens":%d,"cache_read_tokens":%d,'
    b'"queue_ms":%.3f,"ttft_ms":%.3f,"e2e_ms":%.3f,"itl":%s,'
    b'"batch_size_at_start":%d,"node_id":"node-%02d","gpu_type":"H100-SXM",'
    b'"region":"%s","gpu_seconds":%.6f}'
)
_LEAN = (
    b'{"event_id":"%s","ts_end":%d,"request_id":"%s","model":"%s","user_id":"u-%04d",'
    b'"stream":true,"status_code":%d,"input_tokens":%d,"output_tokens":%d,'
    b'"ttft_ms":%.2f,"e2e_ms":%.2f}'
)


def full_events(
    count: int, seed: int, *, start_us: int = 1_790_000_000_000_000, rate: float = 10_000.0
) -> Iterator[bytes]:
    """Yield full events as record values, `ts_end` ascending from `start_us` at a rate a second."""
    step_us = 1e6 / rate
    sketches = _sketches()
    made = 0
    for block in _blocks(count, seed):
        for n, row in enumerate(zip(*block, strict=True), start=made):
            ident, pick, user, inputs, outputs, queue_ms, prefill_ms, gap_ms, status = row
            model = _MODELS[pick % len(_MODELS)]
            ttft_ms = queue_ms + prefill_ms * model.prefill_ms
            e2e_ms = ttft_ms + gap_ms * model.gap_ms * (outputs - 1)
            ts_end = start_us + int(n * step_us)
            yield _FULL % (
                _uuid(ident), pick % 40, ts_end - int(e2e_ms * 1000), ts_end, user % 3,
                ident[:16], ident, model.provider.encode(), model.model.encode(),
                model.virtual_model.encode(), user, user % catalogue.TEAMS,
                user % catalogue.VIRTUAL_ACCOUNTS, _FEATURES[pick & 3], user % 7,
                _TIERS[user % 3], status, b"stop" if status == _OK else b"error", inputs, outputs,
                inputs >> 2, queue_ms, ttft_ms, e2e_ms, sketches[pick % _SKETCHES],
                1 + pick % 48, pick % 64, _REGIONS[pick >> 4 & 3], e2e_ms / 4000,
            )  # fmt: skip
        made += len(block[0])


def lean_events(
    count: int, seed: int, *, start_us: int = 1_790_000_000_000_000, rate: float = 10_000.0
) -> Iterator[bytes]:
    """Yield lean events as record values, `ts_end` ascending from `start_us` at a rate a second."""
    step_us = 1e6 / rate
    made = 0
    for block in _blocks(count, seed):
        for n, row in enumerate(zip(*block, strict=True), start=made):
            ident, pick, user, inputs, outputs, queue_ms, prefill_ms, gap_ms, status = row
            model = _MODELS[pick % len(_MODELS)]
            ttft_ms = queue_ms + prefill_ms * model.prefill_ms
            yield _LEAN % (
                _uuid(ident), start_us + int(n * step_us), ident[:8], model.model.encode(), user,
                status, inputs, outputs, ttft_ms, ttft_ms + gap_ms * model.gap_ms * (outputs - 1),
            )  # fmt: skip
        made += len(block[0])


_OK = 200
_FEATURES = tuple(feature.encode() for feature in catalogue.FEATURES[:4])
_TIERS = tuple(tier.encode() for tier in catalogue.TIERS)
_REGIONS = tuple(region.encode() for region in catalogue.REGIONS)


def _blocks(count: int, seed: int) -> Iterator[tuple[list[Any], ...]]:
    generator = np.random.default_rng(seed)
    ranks = 1.0 / np.arange(1, catalogue.USERS + 1) ** 1.1
    for first in range(0, count, _BLOCK):
        size = min(_BLOCK, count - first)
        bits = generator.bytes(16 * size).hex().encode()

        def spread(sigma: float, number: int = size) -> Any:
            return np.exp(generator.standard_normal(number) * sigma)

        yield (
            [bits[at : at + 32] for at in range(0, 32 * size, 32)],
            generator.integers(0, 1 << 30, size).tolist(),
            generator.choice(catalogue.USERS, size, p=ranks / ranks.sum()).tolist(),
            (1 + 900 * spread(0.9)).astype(np.int64).tolist(),
            (1 + 180 * spread(0.8)).astype(np.int64).tolist(),
            (3 * spread(1.2)).tolist(),
            spread(0.4).tolist(),
            spread(0.25).tolist(),
            generator.choice([200, 429, 500, 400], size, p=[0.97, 0.012, 0.01, 0.008]).tolist(),
        )


def _uuid(ident: bytes) -> bytes:
    """Return 32 hexadecimal digits in the form of a UUID of version 7 (its time is random)."""
    return b"%s-%s-7%s-8%s-%s" % (ident[:8], ident[8:12], ident[13:16], ident[17:20], ident[20:])


def _sketches() -> list[bytes]:
    generator = np.random.default_rng(0)
    counts = generator.integers(3, 60, _SKETCHES).tolist()
    means_ms = (12 * np.exp(generator.standard_normal(_SKETCHES) * 0.5)).tolist()
    return [
        orjson.dumps(gaps(count, count * mean_ms))
        for count, mean_ms in zip(counts, means_ms, strict=True)
    ]
