"""Bad input, tried through broker, worker and store: each gets its documented outcome."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration

Command = Callable[..., Any]
NOW_US = int(time.time() * 1_000_000)
MEBIBYTE = 1 << 20


def event(number: int, **changes: Any) -> bytes:
    fields = {
        "event_id": f"e-{number}",
        "request_id": f"r-{number}",
        "model": "m",
        "status_code": 200,
        "ts_end": NOW_US - number,
        "input_tokens": 1000 + number,
        **changes,
    }
    return json.dumps(fields).encode()


BAD: dict[str, tuple[bytes, str]] = {
    "truncated JSON": (event(100)[:-10], "invalid_json"),
    "no UTF-8": (b'{"model":"\xff\xfe"}', "invalid_json"),
    "a list": (b"[1,2]", "not_an_object"),
    "a wrong type": (event(101, input_tokens="many"), "wrong_type"),
    "a missing field": (b'{"event_id":"x"}', "missing_field"),
    "a negative duration": (event(102, e2e_ms=-0.5), "out_of_range"),
    "a NaN duration": (event(103, e2e_ms=float("nan")), "not_finite"),
    "tokens that do not add up": (
        event(104, input_tokens=5, cache_read_tokens=6),
        "token_sum_mismatch",
    ),
    "ttft beyond e2e": (event(105, ttft_ms=10, e2e_ms=9), "ttft_exceeds_e2e"),
    "the year 1970": (event(106, ts_end=1_000_000), "event_time_too_old"),
    "the year 2100": (event(107, ts_end=4_102_444_799_000_000), "event_time_in_future"),
    "too much metadata": (
        event(108, metadata={str(k): "v" for k in range(33)}),
        "invalid_metadata",
    ),
    "an unlisted value": (event(109, traffic_class="nightly"), "unknown_value"),
    "five megabytes": (event(110, error_message="x" * 5 * MEBIBYTE), "out_of_range"),
}
GOOD = [event(number) for number in range(60)]


def asked(inferometer: Command, data: Path, query: str) -> list[dict[str, Any]]:
    done = inferometer("sql", query, "--data", data, "--json")
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bad-input")


def test_every_bad_record_has_its_outcome_and_its_neighbours_are_unharmed(
    inferometer: Command, data: Path
) -> None:
    lines = list(GOOD)
    for place, (value, _) in enumerate(BAD.values()):
        lines.insert(4 * place + 1, value)
    # The same event again, at once and at the end; other fields change nothing.
    lines.insert(3, GOOD[0])
    lines.append(GOOD[0])
    trace = data / "bad.jsonl"
    trace.write_bytes(b"\n".join(lines))
    done = inferometer("replay", trace, "--format", "events", "--data", data / "store", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["produced"] == len(lines)
    assert said["stored"] == len(GOOD)
    assert said["dead_lettered"] == len(BAD)
    assert said["duplicates"] == 2
    assert said["input_tokens"] == sum(1000 + number for number in range(60))

    letters = asked(
        inferometer,
        data / "store",
        "SELECT reason, detail, length(value) AS bytes, hex(cityHash64(value)) AS digest, "
        "kafka_offset FROM dead_letters",
    )
    assert sorted(letter["reason"] for letter in letters) == sorted(
        reason for _, reason in BAD.values()
    )
    assert all(letter["detail"] for letter in letters)
    sizes = sorted(letter["bytes"] for letter in letters)
    assert sizes == sorted(len(value) for value, _ in BAD.values())

    [small] = asked(
        inferometer, data / "store", "SELECT value FROM dead_letters WHERE reason = 'not_an_object'"
    )
    assert small["value"] == "[1,2]"
    [totals] = asked(
        inferometer,
        data / "store",
        "SELECT sum(requests) AS requests, sum(input_tokens) AS tokens FROM service_1h",
    )
    assert totals == {"requests": len(GOOD), "tokens": said["input_tokens"]}


def test_a_record_over_the_limit_is_refused_before_it_is_sent(
    inferometer: Command, tmp_path: Path
) -> None:
    trace = tmp_path / "large.jsonl"
    trace.write_bytes(b"\n".join([event(1), event(2, error_message="x" * 9 * MEBIBYTE), event(3)]))
    done = inferometer("replay", trace, "--format", "events", "--json")
    assert done.returncode == 1
    said = json.loads(done.stdout)
    assert (said["produced"], said["stored"], said["refused"]) == (2, 2, 1)
    assert f"{trace}:2:" in done.stderr
    assert "max_event_bytes" in done.stderr or "shorten" in done.stderr


def test_a_trace_that_cannot_be_read_names_file_line_and_remedy(
    inferometer: Command, tmp_path: Path
) -> None:
    trace = tmp_path / "azure.csv"
    trace.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.97,oops,10")
    done = inferometer("replay", trace, "--format", "azure-llm")
    assert done.returncode == 1
    assert f"{trace}:2:" in done.stderr
    assert "mend or remove the line" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["replay", "missing.csv", "--format", "azure-llm"], "no file missing.csv"),
        (["replay", __file__, "--format", "csv"], "invalid choice"),
        (["demo", "--for", "soon"], "no duration"),
        (["demo", "--rate", "0"], "above 0"),
    ],
)
def test_wrong_use_exits_with_2_and_says_why(
    inferometer: Command, arguments: list[str], says: str
) -> None:
    done = inferometer(*arguments)
    assert done.returncode == 2
    assert says in done.stderr
