"""The oracle against figures worked out by hand, since everything else is held against it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.browser.data_set import Sent, make_data_set
from tests.browser.oracle import Oracle, cost, value_of, workspace

OWN = {"provider": "acme-gpu", "event_id": "e", "request_id": "r", "ts_end": 1_000_000}


def event(**facts: Any) -> dict[str, Any]:
    return {**OWN, "status_code": 200, **facts}


def oracle(*events: dict[str, Any]) -> Oracle:
    return Oracle([Sent(0, b"", one) for one in events])


def test_tokens_are_charged_by_their_kinds() -> None:
    found = cost(
        event(provider="anthropic", model="claude-sonnet", input_tokens=1000, cache_read_tokens=400,
              output_tokens=300, reasoning_tokens=100)
    )  # fmt: skip
    # 600 x 3 + 400 x 0.30 + 200 x 15 + 100 x 15 dollars a million
    assert found == ("priced", Decimal("0.00642"))


def test_images_bill_on_success_only() -> None:
    image: dict[str, Any] = {"model": "stable-diffusion-3.5-large", "images": 2}
    assert cost(event(**image)) == ("priced", Decimal("0.13"))
    assert cost({**event(**image), "status_code": 503}) == ("priced", Decimal(0))


def test_video_bills_by_successful_seconds() -> None:
    video: dict[str, Any] = {"model": "wan-2.2", "video_seconds": 4.5}
    assert cost(event(**video)) == ("priced", Decimal("0.225"))
    assert cost({**event(**video), "status_code": 500}) == ("priced", Decimal(0))


def test_speech_bills_by_the_character_and_hearing_by_the_second() -> None:
    spoken = event(model="qwen3-tts", characters=1000, audio_out_seconds=12.5)
    assert cost(spoken) == ("priced", Decimal("0.013"))
    heard = event(model="whisper-large-v3", audio_in_seconds=60.0)
    assert cost(heard) == ("priced", Decimal("0.006"))


def test_a_missing_price_is_not_zero() -> None:
    assert cost(event(model="experimental-moe", input_tokens=5))[0] == "unpriced"
    partly = event(provider="openai", model="gpt-realtime", input_tokens=1000, audio_in_seconds=3.0)
    assert cost(partly) == ("partial", Decimal("0.004"))


def test_a_retried_request_counts_once_and_its_attempts_each() -> None:
    first = event(model="bge-m3", status_code=503, is_final=False)
    totals = oracle(first, event(model="bge-m3")).total(0, 2_000_000)
    measures = {name: totals.measure(name) for name in ("requests", "attempts", "failures")}
    assert measures == {"requests": 1, "attempts": 2, "failures": 0}
    assert totals.measure("retry_inflation") == 2
    assert totals.measure("rps") == 0.5


def test_percentiles_are_by_nearest_rank_over_successes() -> None:
    events = [event(model="bge-m3", e2e_ms=float(ms)) for ms in range(1, 101)]
    failed = event(model="bge-m3", status_code=500, e2e_ms=9999.0)
    totals = oracle(*events, failed).total(0, 2_000_000)
    assert totals.measure("e2e_p50_ms") == 51
    assert totals.measure("e2e_p99_ms") == 100
    assert totals.measure("e2e_mean_ms") == 50.5
    assert totals.measure("ttft_p50_ms") is None


def test_windows_begin_with_the_span_and_end_before_the_next() -> None:
    found = oracle(
        event(model="bge-m3", ts_end=999_999), event(model="bge-m3", ts_end=1_000_000)
    ).windows(0, 2_000_000, 1)
    assert [one.measure("attempts") for one in found] == [1, 1]


def test_the_first_team_is_the_one_that_is_billed() -> None:
    found = event(model="bge-m3", team_ids=["search", "support"], metadata={"plan": "pro"})
    assert value_of(found, "team_id") == "search"
    assert value_of(found, "metadata.plan") == "pro"
    assert value_of(found, "metadata.tenant_name") == ""
    assert workspace("", team_id="search")(found)


def test_the_data_set_is_the_same_for_the_same_instant() -> None:
    end = 1_767_225_600_000_000
    one, two = make_data_set(end), make_data_set(end)
    assert [sent.value for sent in one.sent] == [sent.value for sent in two.sent]
    assert len(one.events) > 30_000
    assert {value_of(sent.event or {}, "status_class") for sent in one.events} == {
        "2xx", "4xx", "429", "499", "5xx", "other",
    }  # fmt: skip
