"""A store that is away, slow or too busy: a clear answer at once, and all well again by itself."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from inferometer.errors import QueryTooCostlyError, StateError, StoreError
from inferometer.web.api.services import ApiLimits
from tests.unit.web.api.asking import NOW, asking

if TYPE_CHECKING:
    from inferometer.core.query.plans import MetricsPlan
    from tests.unit.web.api.asking import Bench

AWAY = StoreError("no answer from the store at db:8123: refused; is it running?", retryable=True)
PAGES = ["/metrics", "/requests", "/models", "/oncall", "/pipeline", "/dimensions/model/values"]


@pytest.mark.parametrize("path", PAGES)
def test_a_store_that_is_away_is_told_and_its_return_needs_nobody(bench: Bench, path: str) -> None:
    bench.store.fail_next(*[AWAY] * 50)
    response = bench.get(path)
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    said = response.json()
    assert said["type"] == "/problems/store-unavailable"
    assert "is it running?" in said["detail"]
    bench.store._failures.clear()
    assert bench.get(path).status_code == 200


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("path", ["/metrics", "/requests"])
def test_a_file_that_cannot_begin_is_a_problem_and_no_file(
    bench: Bench, path: str, form: str
) -> None:
    bench.store.fail_next(*[AWAY] * 50)
    response = bench.get(f"{path}?format={form}")
    assert response.status_code == 503
    assert response.headers["Content-Type"] == "application/problem+json"
    assert "Content-Disposition" not in response.headers


def test_a_question_that_costs_too_much_is_refused_with_what_to_ask_instead(bench: Bench) -> None:
    bench.store.fail_next(
        QueryTooCostlyError("it took longer than 10 s", "ask for a shorter range")
    )
    response = bench.get("/metrics")
    assert response.status_code == 400
    said = response.json()
    assert said["type"] == "/problems/query-too-costly"
    assert said["problems"][0]["remedy"] == "ask for a shorter range"


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (StoreError("unknown column", retryable=False), 500, "store-refused"),
        (StateError("the schema is of another version"), 503, "unavailable"),
        (KeyError("secret-detail"), 500, "internal-error"),
    ],
)
def test_other_failures_are_problems_that_tell_no_secrets(
    bench: Bench, error: Exception, status: int, kind: str
) -> None:
    bench.store.fail_next(error)
    response = bench.get("/metrics")
    assert response.status_code == status
    assert response.json()["type"] == f"/problems/{kind}"
    assert bench.client.get(response.json()["type"]).status_code == 200
    assert "secret-detail" not in response.text
    assert "Traceback" not in response.text


class SlowStore:
    """Makes questions of a store wait."""

    def __init__(self, bench: Bench) -> None:
        self.gate = threading.Event()
        self.entered = threading.Semaphore(0)
        self._measured = bench.store.measured
        bench.store.measured = self.measured  # type: ignore[method-assign]

    def measured(self, plan: MetricsPlan) -> Any:
        self.entered.release()
        assert self.gate.wait(60)
        return self._measured(plan)


def test_a_slow_store_fills_its_threads_and_the_rest_is_answered_at_once() -> None:
    limits = ApiLimits(query_threads=1, waiting_queries=0)
    with asking(limits) as bench, ThreadPoolExecutor(1) as people:
        slow = SlowStore(bench)
        held = people.submit(bench.get, "/metrics?top=3")
        assert slow.entered.acquire(timeout=60)
        busy = bench.get("/metrics?top=4")
        assert (busy.status_code, busy.headers["Retry-After"]) == (503, "1")
        assert busy.json()["type"] == "/problems/busy"
        # What asks no store is served meanwhile.
        assert bench.client.get("/api/v1/openapi.json").status_code == 200
        slow.gate.set()
        assert held.result().status_code == 200
        assert bench.get("/metrics?top=4").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/session", {"token": "viewer"}),
        ("GET", "/me", None),
        ("GET", "/measures", None),
        ("GET", "/dimensions", None),
        ("GET", "/alerts/status", None),
        ("GET", "/silences", None),
        ("DELETE", "/silences/nobodys", None),
        ("GET", "/tokens", None),
        ("POST", "/tokens", {"name": "grafana", "role": "viewer"}),
        ("DELETE", "/tokens/viewer", None),
    ],
)
def test_a_store_that_hangs_holds_up_nothing_that_asks_no_store(
    method: str, path: str, body: dict[str, str] | None
) -> None:
    limits = ApiLimits(query_threads=1, waiting_queries=0)
    with asking(limits) as bench, ThreadPoolExecutor(1) as people:
        slow = SlowStore(bench)
        held = people.submit(bench.get, "/metrics?top=3")
        try:
            assert slow.entered.acquire(timeout=60)
            headers = {"Authorization": "Bearer chief"}
            answer = bench.client.request(method, f"/api/v1{path}", json=body, headers=headers)
        finally:
            slow.gate.set()
        assert answer.status_code < 500, answer.text
        assert held.result().status_code == 200


def test_equal_questions_of_many_people_are_asked_once() -> None:
    with asking(ApiLimits(query_threads=4)) as bench, ThreadPoolExecutor(8) as people:
        slow = SlowStore(bench)
        asked = [people.submit(bench.get, "/metrics?top=3") for _ in range(8)]
        assert slow.entered.acquire(timeout=60)
        slow.gate.set()
        assert {each.result().status_code for each in asked} == {200}
        assert len(bench.store.asked) < 8


def test_dead_letters_show_text_bytes_and_where_they_were_cut(bench: Bench) -> None:
    values = [b"\xff\x00", "ü".encode() * 40_000, b'{"a": 1}']
    bench.store.dead_letter_rows = [
        {
            "reason": "invalid_json", "detail": "d", "kafka_topic": "t", "kafka_partition": 0,
            "kafka_offset": place, "kafka_index": 0, "stream_id": "s", "content_type": "",
            "append_time": NOW, "decided_at": NOW - timedelta(minutes=place + 1), "value": value,
        }
        for place, value in enumerate(values)
    ]  # fmt: skip
    said = bench.body("/dead-letters?limit=2")
    assert [row["text"] is None for row in said["rows"]] == [True, False]
    assert [row["is_cut"] for row in said["rows"]] == [False, True]
    assert said["rows"][1]["size_bytes"] == 80_000
    rest = bench.body(f"/dead-letters?limit=2&cursor={said['next_cursor']}")
    assert [row["text"] for row in rest["rows"]] == ['{"a": 1}']
    assert rest["next_cursor"] is None
    assert "cursor" in bench.refused("/dead-letters?cursor=nonsense&limit=0")
