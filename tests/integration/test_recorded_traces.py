"""Recorded traces of real services keep their known facts through the whole pipeline."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration

Command = Callable[..., Any]


def replayed(inferometer: Command, path: Path, trace_format: str, *flags: str) -> dict[str, Any]:
    done = inferometer("replay", path, "--format", trace_format, "--json", *flags)
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def test_the_azure_hour_is_counted_exactly(inferometer: Command, traces: Path) -> None:
    said = replayed(
        inferometer, traces / "azure_llm_2023_code.csv", "azure-llm", "--model", "gpt-4o"
    )
    assert said["produced"] == said["stored"] == 8_819
    assert said["input_tokens"] == 18_059_974
    assert said["output_tokens"] == 245_896
    # gpt-4o: 2.50 and 10.00 USD a million tokens.
    assert said["cost_usd"] == pytest.approx(18.059974 * 2.5 + 0.245896 * 10, abs=1e-9)
    assert said["unpriced"] == 0
    assert said["percentiles"] == {}


def test_the_vllm_run_has_its_percentiles(inferometer: Command, traces: Path) -> None:
    path = traces / "vllm_rtx4090_llama31_8b" / "requests.jsonl"
    said = replayed(inferometer, path, "vllm-requests")
    assert said["stored"] == 300
    assert (said["input_tokens"], said["output_tokens"]) == (257_239, 195_753)
    known = {
        "queue_ms": (60_004, 137_574),
        "ttft_ms": (60_159, 137_777),
        "e2e_ms": (83_551, 153_835),
        "tpot_ms": (30.8, 57.5),
    }
    for name, (p50, p99) in known.items():
        found = said["percentiles"][name]
        assert found["p50"] == pytest.approx(p50, rel=0.0055)
        assert found["p99"] == pytest.approx(p99, rel=0.0055)


def test_a_mooncake_trace_is_replayed(inferometer: Command, tmp_path: Path) -> None:
    trace = tmp_path / "mooncake.jsonl"
    rows = [
        {"timestamp": 100 * n, "input_length": 1000 + n, "output_length": n, "hash_ids": [n]}
        for n in range(50)
    ]
    trace.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    said = replayed(inferometer, trace, "mooncake", "--speed", "20x")
    assert said["stored"] == 50
    assert said["input_tokens"] == sum(1000 + n for n in range(50))
    assert said["elapsed_s"] >= 4.9 / 20
