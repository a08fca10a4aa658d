"""Measurement of a request: what the marks of one clock become in the event."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from inferometer.core.bins import bin_of_us
from tests.unit.sdk.recording import WALL_NS, Bench, bench

WALL_US = WALL_NS // 1000


@pytest.fixture
def desk() -> Bench:
    return bench()


def test_a_streamed_request_yields_ttft_gaps_tpot_and_end(desk: Bench) -> None:
    with desk.client.request(model="m", user_id="u") as request:
        desk.clock.pass_ms(100)
        request.chunk(tokens=1)
        desk.clock.pass_ms(10)
        request.chunk(tokens=2)
        desk.clock.pass_ms(30)
        request.chunk(tokens=2)
        desk.clock.pass_ms(5)
        request.finish(200, input_tokens=7, output_tokens=5, finish_reason="stop")
    event = desk.transport.events()[0]
    assert event["ttft_ms"] == 100.0
    assert event["e2e_ms"] == 145.0
    assert event["tpot_ms"] == 11.25
    assert event["itl"] == {
        "count": 2,
        "sum_ms": 40.0,
        "max_ms": 30.0,
        "bins": [bin_of_us(10_000), 1, bin_of_us(30_000), 1],
    }
    assert event["stream"] is True
    assert (event["ts"], event["ts_end"]) == (WALL_US, WALL_US + 145_000)
    assert (event["status_code"], event["output_tokens"]) == (200, 5)


def test_first_token_is_the_first_chunk(desk: Bench) -> None:
    with desk.client.request(model="m") as request:
        desk.clock.pass_ms(40)
        request.first_token()
        desk.clock.pass_ms(10)
        request.chunk()
    event = desk.transport.events()[0]
    assert (event["ttft_ms"], event["itl"]["count"]) == (40.0, 1)


def test_a_request_without_chunks_has_neither_first_token_nor_stream(desk: Bench) -> None:
    with desk.client.request(model="m"):
        desk.clock.pass_ms(12.3456)
    event = desk.transport.events()[0]
    assert event["e2e_ms"] == 12.346
    assert not {"ttft_ms", "itl", "tpot_ms", "stream", "output_tokens"} & event.keys()


def test_tokens_counted_by_chunks_are_an_estimate(desk: Bench) -> None:
    with desk.client.request(model="m") as request:
        request.chunk(tokens=3)
    event = desk.transport.events()[0]
    assert (event["output_tokens"], event["usage_source"]) == (3, "estimated")


def test_reported_usage_wins_over_counted_chunks(desk: Bench) -> None:
    with desk.client.request(model="m") as request:
        request.chunk(tokens=3)
        request.finish(200, output_tokens=4)
    event = desk.transport.events()[0]
    assert event["output_tokens"] == 4
    assert "usage_source" not in event


def test_reasoning_ends_at_the_first_answer_token(desk: Bench) -> None:
    with desk.client.request(model="m") as request:
        request.first_token()
        desk.clock.pass_ms(70)
        request.first_answer_token()
        desk.clock.pass_ms(5)
        request.first_answer_token()
    assert desk.transport.events()[0]["ttfa_ms"] == 70.0


def test_what_follows_finish_does_not_count(desk: Bench) -> None:
    with desk.client.request(model="m") as request:
        desk.clock.pass_ms(10)
        request.finish()
        desk.clock.pass_ms(90)
    assert desk.transport.events()[0]["e2e_ms"] == 10.0


def test_an_exception_is_a_500_with_its_name_and_passes_through(desk: Bench) -> None:
    with pytest.raises(ZeroDivisionError), desk.client.request(model="m"):
        raise ZeroDivisionError
    event = desk.transport.events()[0]
    assert (event["status_code"], event["error_type"]) == (500, "ZeroDivisionError")


def test_a_status_that_was_set_wins_over_the_exception(desk: Bench) -> None:
    request = desk.client.request(model="m")
    request.set(status_code=429, error_type="rate_limit")
    with pytest.raises(ZeroDivisionError), request:
        raise ZeroDivisionError
    event = desk.transport.events()[0]
    assert (event["status_code"], event["error_type"]) == (429, "rate_limit")


def test_a_cancelled_task_is_a_client_that_went_away(desk: Bench) -> None:
    async def serve() -> None:
        async with desk.client.request(model="m") as request:
            request.first_token()
            await asyncio.Event().wait()

    async def run() -> None:
        task = asyncio.create_task(serve())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert desk.transport.events()[0]["status_code"] == 499


def test_a_generator_that_is_closed_is_a_client_that_went_away(desk: Bench) -> None:
    def stream() -> Iterator[int]:
        with desk.client.request(model="m") as request:
            for token in range(10):
                request.chunk(tokens=1)
                yield token

    tokens = stream()
    next(tokens)
    tokens.close()  # type: ignore[attr-defined]
    event = desk.transport.events()[0]
    assert (event["status_code"], event["output_tokens"]) == (499, 1)


def test_an_async_stream_is_measured_to_its_end(desk: Bench) -> None:
    async def stream() -> AsyncIterator[int]:
        async with desk.client.request(model="m") as request:
            for token in range(3):
                desk.clock.pass_ms(10)
                request.chunk(tokens=1)
                yield token

    async def run() -> None:
        assert [token async for token in stream()] == [0, 1, 2]

    asyncio.run(run())
    event = desk.transport.events()[0]
    assert (event["status_code"], event["ttft_ms"], event["e2e_ms"]) == (200, 10.0, 30.0)


def test_an_unknown_field_is_refused_where_it_is_written(desk: Bench) -> None:
    with pytest.raises(TypeError, match="modle"):
        desk.client.request(modle="typo")


def test_a_request_that_makes_no_event_does_not_fail_its_caller(desk: Bench) -> None:
    with desk.client.request(model="") as request:
        request.finish(200, input_tokens=-1)
    with desk.client.request(model="m") as request:
        request.finish(200, e2e_ms=float("inf"))
    assert [event["model"] for event in desk.transport.events()] == [""]
    assert desk.client.stats().invalid == 2


def test_of_two_attempts_only_the_last_is_final(desk: Bench) -> None:
    with desk.client.request(model="alias", user_id="u") as request:
        desk.clock.pass_ms(5)
        attempt = request.attempt(model="a", provider="p1")
        desk.clock.pass_ms(100)
        with pytest.raises(TimeoutError), attempt:
            raise TimeoutError
        desk.clock.pass_ms(20)
        with request.attempt(model="b", is_fallback=True) as attempt:
            desk.clock.pass_ms(30)
            attempt.chunk(tokens=1)
            desk.clock.pass_ms(40)
            attempt.finish(200, output_tokens=9)
    first, last = desk.transport.events()
    assert (first["model"], first["status_code"], first["is_final"]) == ("a", 500, False)
    assert (first["e2e_ms"], first["ts"]) == (100.0, WALL_US + 5_000)
    assert (last["model"], last["status_code"], last.get("is_final", True)) == ("b", 200, True)
    assert (last["attempt_no"], last["is_retry"], last["is_fallback"]) == (2, True, True)
    assert first["request_id"] == last["request_id"] == request.request_id
    assert first["attempt_id"] != last["attempt_id"]
    assert first["user_id"] == last["user_id"] == "u"


def test_the_final_attempt_counts_from_the_receipt_of_the_request(desk: Bench) -> None:
    with desk.client.request(model="m") as request:
        with request.attempt():
            desk.clock.pass_ms(100)
        with request.attempt() as attempt:
            desk.clock.pass_ms(30)
            attempt.first_token()
            desk.clock.pass_ms(40)
    last = desk.transport.events()[1]
    assert (last["ttft_ms"], last["e2e_ms"], last["ts"]) == (130.0, 170.0, WALL_US)


def test_a_missed_first_token_is_signalled_once_and_marks_the_event(desk: Bench) -> None:
    request = desk.client.request(
        model="m", region="eu", stream=True, deadline_ttft_ms=50, deadline_e2e_ms=500
    )
    with request:
        desk.clock.pass_ms(60)
        request.first_token()
        desk.clock.pass_ms(10)
        request.finish()
    assert [
        (s["kind"], s["deadline"], s["deadline_ms"], s["region"], s["stream"], s["ts"])
        for s in ({"kind": "deadline_missed", **s} for s in desk.transport.signals())
    ] == [("deadline_missed", "ttft", 50.0, "eu", True, WALL_US + 50_000)]
    assert desk.transport.events()[0]["deadline_missed"] is True


def test_a_deadline_that_is_met_leaves_no_trace(desk: Bench) -> None:
    with desk.client.request(model="m", deadline_ttft_ms=50, deadline_e2e_ms=100) as request:
        desk.clock.pass_ms(49)
        request.first_token()
        desk.clock.pass_ms(51)
    assert desk.transport.signals() == []
    assert "deadline_missed" not in desk.transport.events()[0]


def test_a_signal_carries_the_dimensions_of_client_and_request() -> None:
    desk = bench(workspace_id="w", source="pod-1")
    with desk.client.request(model="m", provider="p", deadline_e2e_ms=10, user_id="u") as request:
        desk.clock.pass_ms(11)
    signal = desk.transport.signals()[0]
    assert (signal["workspace_id"], signal["provider"], signal["source"]) == ("w", "p", "pod-1")
    assert signal["request_id"] == request.request_id
    assert "user_id" not in signal
