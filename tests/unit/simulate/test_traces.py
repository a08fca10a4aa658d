"""Traces: four formats become records, bad lines are named, shared traces keep their facts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import orjson
import pytest

from inferometer.simulate.traces import FORMATS, Trace, TraceError, open_trace

AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10"
VLLM = (
    '{"request_id": "b-0", "input_toks": 7, "output_toks": 3, "arrival_time": 100.5, '
    '"queued_ts": 10.0, "scheduled_ts": 10.25, "first_token_ts": 10.5, "last_token_ts": 12.0}'
)
MOONCAKE = '{"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46]}'


def trace(folder: Path, trace_format: str, text: str | bytes, model: str = "") -> Trace:
    path = folder / "trace"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return open_trace(path, trace_format=trace_format, replay_id="run1", model=model)


def wires(found: Trace) -> list[dict[str, Any]]:
    return [orjson.loads(record.value) for record in found.records()]


def test_an_azure_line_has_tokens_and_an_end_but_no_latency(tmp_path: Path) -> None:
    assert wires(trace(tmp_path, "azure-llm", AZURE)) == [
        {
            "event_id": "run1-azure-llm-2",
            "source": "replay/azure-llm",
            "ts_end": 1_700_158_623_979_960,
            "request_id": "run1-azure-llm-2",
            "model": "azure-llm",
            "status_code": 200,
            "input_tokens": 4808,
            "output_tokens": 10,
        }
    ]


def test_a_mooncake_line_has_tokens_and_an_end_but_no_latency(tmp_path: Path) -> None:
    wire = wires(trace(tmp_path, "mooncake", MOONCAKE + "\n"))[0]
    assert (wire["ts_end"], wire["input_tokens"], wire["output_tokens"]) == (27_482_000, 6955, 52)
    assert not {"ttft_ms", "e2e_ms", "queue_ms", "ts"} & wire.keys()


def test_a_vllm_line_takes_its_durations_from_the_monotonic_stamps(tmp_path: Path) -> None:
    wire = wires(trace(tmp_path, "vllm-requests", VLLM))[0]
    assert (wire["queue_ms"], wire["ttft_ms"], wire["e2e_ms"]) == (250.0, 500.0, 2000.0)
    assert (wire["ts"], wire["ts_end"]) == (100_500_000, 102_500_000)
    assert (wire["request_id"], wire["stream"]) == ("b-0", True)


def test_a_stamp_that_the_trace_lacks_leaves_its_duration_absent(tmp_path: Path) -> None:
    line = VLLM.replace('"first_token_ts": 10.5', '"first_token_ts": null')
    wire = wires(trace(tmp_path, "vllm-requests", line))[0]
    assert "ttft_ms" not in wire
    assert wire["e2e_ms"] == 2000.0


def test_a_model_can_be_named(tmp_path: Path) -> None:
    assert wires(trace(tmp_path, "azure-llm", AZURE, model="gpt-4o"))[0]["model"] == "gpt-4o"


def test_a_shifted_trace_ends_at_the_given_instant(tmp_path: Path) -> None:
    found = trace(tmp_path, "vllm-requests", VLLM)
    record = next(found.records(found.shift(end_at_us=200_000_000)))
    wire = orjson.loads(record.value)
    assert (wire["ts"], wire["ts_end"]) == (198_000_000, 200_000_000)
    assert record.ts_end_us == 200_000_000


@pytest.mark.parametrize(
    ("trace_format", "text"),
    [
        ("azure-llm", AZURE + "\n2023-11-16 18:17:03,nonsense,10"),
        ("azure-llm", AZURE + "\n2023-11-16 18:17:03,1"),
        ("azure-llm", AZURE + "\n2023-11-16 18:17:03,-1,2"),
        ("azure-llm", AZURE + "\n\xff\xfe"),
        ("mooncake", MOONCAKE + '\n{"timestamp": 1}'),
        ("mooncake", MOONCAKE + "\n[1]"),
        ("mooncake", MOONCAKE + "\n" + MOONCAKE.replace("52", '"52"')),
        ("vllm-requests", VLLM + "\n{"),
        ("vllm-requests", VLLM + "\n" + VLLM.replace("12.0", "9.0")),
    ],
)
def test_a_malformed_line_is_named_with_file_line_and_remedy(
    tmp_path: Path, trace_format: str, text: str
) -> None:
    found = trace(tmp_path, trace_format, text.encode("latin-1"))
    bad_line = text.count("\n") + 1
    with pytest.raises(TraceError, match=rf"trace:{bad_line}: .*mend or remove the line"):
        list(found.records())


def test_lines_of_events_are_passed_byte_for_byte(tmp_path: Path) -> None:
    lines = [b'{"request_id":"r", "ts_end": 5}', b"{broken", b"", b"\xff", b'{"request_id": 3}\r']
    records = list(trace(tmp_path, "events", b"\n".join(lines) + b"\n").records())
    assert [record.value for record in records] == lines
    assert [record.key for record in records] == [b"r", None, None, None, None]
    assert [record.line for record in records] == [1, 2, 3, 4, 5]


def test_outliers_and_broken_lines_neither_move_nor_count_for_the_shift(tmp_path: Path) -> None:
    noon = 1_790_000_000_000_000
    lines = [
        b'{"ts_end": 0}',
        b'{"ts_end": %d, "ts": %d, "e2e_ms": 1.50}' % (noon, noon - 1500),
        b'{"ts_end": %d}' % (noon + 10),
        b'{"ts_end": 4102444800000000}',
        b'{"ts_end": "soon"}',
        b'{"ts_end": 17900000000',
    ]
    found = trace(tmp_path, "events", b"\n".join(lines))
    values = [record.value for record in found.records(found.shift(end_at_us=noon + 1010))]
    assert values == [
        lines[0],
        b'{"ts_end": %d, "ts": %d, "e2e_ms": 1.50}' % (noon + 1000, noon - 500),
        b'{"ts_end": %d}' % (noon + 1010),
        *lines[3:],
    ]


def test_an_unknown_format_and_a_missing_file_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="use one of azure-llm"):
        open_trace(tmp_path, trace_format="csv", replay_id="r")
    for trace_format in FORMATS:
        with pytest.raises(TraceError, match="check the path"):
            open_trace(tmp_path / "none", trace_format=trace_format, replay_id="r")


@pytest.fixture
def shared_data(repository: Path) -> Path:
    beside = repository.parent / "shared" / "data"
    folder = Path(os.environ.get("INFEROMETER_TEST_DATA") or beside)
    if not (folder / "README.md").is_file():
        pytest.skip("no shared traces: set INFEROMETER_TEST_DATA to their folder")
    return folder


def test_the_azure_trace_keeps_its_facts(shared_data: Path) -> None:
    path = shared_data / "azure_llm_2023_code.csv"
    found = open_trace(path, trace_format="azure-llm", replay_id="r")
    events = wires(found)
    assert len(events) == 8_819
    assert sum(event["input_tokens"] for event in events) == 18_059_974
    assert sum(event["output_tokens"] for event in events) == 245_896
    assert events[-1]["ts_end"] - events[0]["ts_end"] == 3_435_948_056


def test_the_vllm_trace_keeps_its_facts(shared_data: Path) -> None:
    path = shared_data / "vllm_rtx4090_llama31_8b" / "requests.jsonl"
    events = wires(open_trace(path, trace_format="vllm-requests", replay_id="r"))
    assert sum(event["input_tokens"] for event in events) == 257_239
    assert sum(event["output_tokens"] for event in events) == 195_753

    def quantiles_s(field: str) -> tuple[float, float]:
        values = sorted(event[field] for event in events)
        p50, p99 = (values[min(len(values) - 1, int(q * len(values)))] for q in (0.5, 0.99))
        return round(p50 / 1000, 3), round(p99 / 1000, 3)

    assert quantiles_s("queue_ms") == (60.004, 137.573)
    assert quantiles_s("ttft_ms") == (60.159, 137.777)
    assert quantiles_s("e2e_ms") == (83.551, 153.835)
