"""The fleet: valid, seeded, in order, and with everything that a real one shows."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import orjson
import pytest

from inferometer.core import codec
from inferometer.core.events import InferenceRequest
from inferometer.simulate import catalogue
from inferometer.simulate.fixed_size import full_events, lean_events
from inferometer.simulate.fleet import Fleet, gaps

START_US = 1_790_000_000_000_000
Wire = dict[str, Any]


def take(count: int, *, seed: int = 7, rate: float = 50.0, clean: bool = False) -> list[Wire]:
    return Fleet(seed=seed, start_us=START_US, rate=rate, clean=clean).take(count)


@pytest.fixture(scope="module")
def two_minutes() -> list[Wire]:
    return take(6_000)


def test_every_event_keeps_the_contract_and_its_token_sums(two_minutes: list[Wire]) -> None:
    for wire in two_minutes:
        event = codec.event_of(wire)
        assert orjson.loads(codec.encode(event)) == wire
        assert token_remainders(event) >= (0, 0)
        assert (event.ttft_ms or 0) <= (event.e2e_ms or 0)
        assert event.ts is not None
        assert event.e2e_ms is not None
        assert abs(event.ts_end - event.ts - event.e2e_ms * 1000) <= 1


def token_remainders(event: InferenceRequest) -> tuple[int, int]:
    inputs = (event.input_tokens or 0) - sum(
        (event.cache_read_tokens, event.cache_write_5m_tokens, event.cache_write_1h_tokens,
         event.audio_input_tokens, event.image_input_tokens, event.video_input_tokens)
    )  # fmt: skip
    outputs = (event.output_tokens or 0) - sum(
        (event.reasoning_tokens, event.audio_output_tokens, event.image_output_tokens)
    )
    return min(0, inputs), min(0, outputs)


def test_one_seed_gives_one_sequence() -> None:
    assert take(300) == take(300)
    assert take(300) != take(300, seed=8)


def test_another_start_moves_the_times_and_changes_the_ids_alone() -> None:
    def essence(start_us: int) -> list[Wire]:
        moving = {"event_id", "request_id", "attempt_id", "ts", "ts_end"}
        events = Fleet(seed=1, start_us=start_us, rate=50).take(200)
        return [{k: v for k, v in event.items() if k not in moving} for event in events]

    assert essence(START_US) == essence(START_US + 86_400_000_000)


def test_events_come_in_order_of_their_end(two_minutes: list[Wire]) -> None:
    ends = [event["ts_end"] for event in two_minutes]
    assert ends == sorted(ends)
    assert ends[0] >= START_US


def test_the_rate_is_met_over_time() -> None:
    span_s = (take(3_000, rate=100.0)[-1]["ts_end"] - START_US) / 1e6
    assert span_s == pytest.approx(30, rel=0.1)


def test_ids_are_unique(two_minutes: list[Wire]) -> None:
    assert len({event["event_id"] for event in two_minutes}) == len(two_minutes)


def test_a_clean_fleet_has_one_event_a_request() -> None:
    events = take(3_000, clean=True)
    assert len({event["request_id"] for event in events}) == len(events)
    assert not any("attempt_no" in event for event in events)


def test_a_retried_request_has_one_final_attempt(two_minutes: list[Wire]) -> None:
    first = {e["request_id"]: e for e in two_minutes if not e.get("is_final", True)}
    finals = [e for e in two_minutes if e.get("attempt_no") == 2]
    assert len(finals) > 20
    for final in finals:
        earlier = first[final["request_id"]]
        assert earlier["status_code"] >= 429
        assert (final["status_code"], final["ts"]) == (200, earlier["ts"])
        assert final["ts_end"] > earlier["ts_end"]


def test_every_model_unit_and_status_occurs(two_minutes: list[Wire]) -> None:
    assert {e["model"] for e in two_minutes} == {m.model for m in catalogue.MODELS}
    assert {e["status_code"] for e in two_minutes} == {200, 400, 401, 429, 499, 500, 503}
    for field in ("images", "audio_out_seconds", "audio_in_seconds", "characters", "itl",
                  "cache_read_tokens", "cache_write_5m_tokens", "reasoning_tokens", "gpu_type",
                  "cold_start", "virtual_model"):  # fmt: skip
        assert any(field in event for event in two_minutes), field


def test_each_minute_has_a_429_burst_a_slow_model_and_a_failing_provider(
    two_minutes: list[Wire],
) -> None:
    def share(first_s: float, last_s: float, provider: str, status: int) -> float:
        found = Counter(
            event["status_code"]
            for event in two_minutes
            if event["provider"] == provider
            and first_s <= (event["ts_end"] - START_US) / 1e6 % 60 < last_s
            and event.get("attempt_no", 1) == 1
        )
        return found[status] / found.total()

    assert share(12, 17, "openai", 429) > 0.4
    assert share(40, 48, "deepseek", 503) > 0.4
    assert share(48, 60, "deepseek", 503) < 0.1


def test_gaps_are_a_sketch_that_sums_to_its_count() -> None:
    for number in (1, 2, 3, 7, 500):
        sketch = gaps(number, 12.5 * number)
        assert sum(sketch["bins"][1::2]) == number
        assert sketch["bins"][::2] == sorted(set(sketch["bins"][::2]))


@pytest.mark.parametrize(
    ("make", "size_bytes", "fields"), [(full_events, 860, 33), (lean_events, 250, 11)]
)
def test_benchmark_events_have_their_size_and_vary(make: Any, size_bytes: int, fields: int) -> None:
    values = list(make(5_000, 3))
    assert values == list(make(5_000, 3))
    events = [codec.decode(value) for value in values[:500]]
    mean = sum(map(len, values)) / len(values)
    assert mean == pytest.approx(size_bytes, rel=0.03)
    assert {len(orjson.loads(value)) for value in values} == {fields}
    assert len({event.event_id for event in events}) == 500
    assert len({event.e2e_ms for event in events}) > 400
    assert all((event.ttft_ms or 0) <= (event.e2e_ms or 0) for event in events)
    ends = [orjson.loads(value)["ts_end"] for value in values]
    assert all(a < b for a, b in itertools.pairwise(ends))
