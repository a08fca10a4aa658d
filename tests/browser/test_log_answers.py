"""The log, its pages, its exports and its details are the attempts that were sent."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.data_set import DAY_US, HOUR_US
from tests.browser.oracle import Where, cost, value_of, workspace

if TYPE_CHECKING:
    from tests.browser.asking import Answer
    from tests.browser.serving import World

pytestmark = pytest.mark.integration

COLUMNS = {
    "request_id", "event_id", "ts_end", "model", "total_tokens", "input_tokens", "output_tokens",
    "ttft_ms", "e2e_ms", "status_code", "status_class", "error_type", "user_id", "workspace_id",
    "cost_usd", "attempt_no", "is_final",
}  # fmt: skip


def spanned(world: World) -> dict[str, Any]:
    """Return two hours with failures of every kind."""
    begin = world.data_set.outage[0]
    return {"from_": begin - HOUR_US // 2, "to": begin + 3 * HOUR_US // 2}


def expected_ids(world: World, where: Where = lambda _event: True) -> list[str]:
    """Return the attempts of acme in that span, newest first, as the log orders them."""
    is_acme, span = workspace("acme"), spanned(world)
    events = [
        sent.event or {}
        for sent in world.oracle.sent(
            span["from_"], span["to"], lambda event: is_acme(event) and where(event)
        )
    ]
    events.sort(key=lambda event: (event["ts_end"], event["event_id"]), reverse=True)
    return [event["event_id"] for event in events]


def all_pages(world: World, **parameters: Any) -> list[dict[str, Any]]:
    """Return every row of a question, page after page."""
    rows, cursor = [], None
    while True:
        page = world.viewer.get("/requests", cursor=cursor, **parameters)
        rows += page["rows"]
        cursor = page["next_cursor"]
        if cursor is None:
            return rows
        assert page["rows"]


def test_pages_have_every_attempt_once_newest_first(world: World) -> None:
    rows = all_pages(world, limit=70, **spanned(world))
    assert [row["event_id"] for row in rows] == expected_ids(world)
    assert set(rows[0]) >= COLUMNS


def test_a_row_says_what_was_sent(world: World) -> None:
    rows = {row["event_id"]: row for row in all_pages(world, limit=1000, **spanned(world))}
    span = spanned(world)
    for sent in world.oracle.sent(span["from_"], span["to"], workspace("acme")):
        event = sent.event or {}
        row = rows[event["event_id"]]
        for name in ("request_id", "model", "status_code", "user_id", "attempt_no", "is_final"):
            assert row[name] == event[name]
        assert row["error_type"] == event.get("error_type", "")
        assert row["status_class"] == value_of(event, "status_class")
        for name in ("ttft_ms", "e2e_ms"):
            assert row[name] == pytest.approx(event.get(name)) if event.get(name) else not row[name]
        assert Decimal(str(row["cost_usd"])) == pytest.approx(cost(event)[1], rel=Decimal("1e-9"))


@pytest.mark.parametrize(
    ("parameters", "where"),
    [
        ({"model": "bge-m3"}, lambda e: e["model"] == "bge-m3"),
        ({"status": "503"}, lambda e: e["status_code"] == 503),
        ({"status": ["429", "4xx"]}, lambda e: value_of(e, "status_class") in {"429", "4xx"}),
        ({"status": "5xx"}, lambda e: e["status_code"] >= 500),
        ({"user_id": "ada@example.org"}, lambda e: e["user_id"] == "ada@example.org"),
        ({"final_only": "true"}, lambda e: e["is_final"]),
        (
            {"filter": "metadata.tenant_name=hooli"},
            lambda e: e["metadata"]["tenant_name"] == "hooli",
        ),
        ({"filter": "region!=eu-west"}, lambda e: e["region"] != "eu-west"),
    ],
    ids=["model", "code", "classes", "5xx", "user", "final", "metadata", "exclude"],
)
def test_a_filter_of_the_log_keeps_what_it_says(
    world: World, parameters: dict[str, Any], where: Where
) -> None:
    rows = all_pages(world, limit=1000, **parameters, **spanned(world))
    expected = expected_ids(world, where)
    assert expected
    assert [row["event_id"] for row in rows] == expected
    page = world.viewer.get("/requests", limit=1, **parameters, **spanned(world))
    assert page["row_count"] == len(expected)
    assert not page["row_count_is_lower_bound"]


def test_a_request_is_found_by_its_id_with_all_attempts(world: World) -> None:
    again = next(
        sent.event
        for sent in world.oracle.sent(*world.data_set.outage, workspace("acme"))
        if sent.event and sent.event["attempt_no"] > 1
    )
    request_id = again["request_id"]
    found = world.viewer.get(f"/requests/{request_id}")["attempts"]
    sent = [
        one.event
        for one in world.oracle.sent(0, 2**60)
        if one.event and one.event["request_id"] == request_id
    ]
    assert [row["attempt_no"] for row in found] == list(range(1, len(sent) + 1))
    assert found[0]["metadata"] == sent[0]["metadata"]
    end = world.data_set.end_us
    page = world.viewer.get(
        "/requests", request_id=request_id, from_=world.data_set.start_us, to=end
    )
    assert {row["request_id"] for row in page["rows"]} == {request_id}
    assert len(page["rows"]) == len(sent)


def test_an_unknown_request_is_a_problem_that_says_so(world: World) -> None:
    answer = world.viewer.ask("/requests/req-nowhere")
    assert answer.status == 404
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.json["status"] == 404


def exported(answer: Answer, form: str) -> list[dict[str, Any]]:
    """Return the rows of an export."""
    assert answer.status == 200, answer.body[:500]
    return answer.rows(form)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_an_export_of_the_log_has_every_row_and_says_how_many(world: World, form: str) -> None:
    answer = world.viewer.ask("/requests", format=form, status="5xx", **spanned(world))
    rows = exported(answer, form)
    expected = expected_ids(world, lambda event: event["status_code"] >= 500)
    assert [row["event_id"] for row in rows] == expected
    assert int(answer.headers["X-Row-Count"]) == len(expected)
    assert answer.headers["X-Is-Truncated"].lower() == "false"
    assert int(answer.headers["X-Row-Limit"]) == 100_000
    assert set(rows[0]) >= {"node_id", "metadata", "price_version", "kafka_offset"}


def test_an_export_that_is_cut_says_so(world: World) -> None:
    answer = world.viewer.ask("/requests", format="csv", limit=5, **spanned(world))
    assert answer.csv().num_rows == 5
    assert answer.headers["X-Is-Truncated"].lower() == "true"
    assert answer.headers["X-Row-Limit"] == "5"


def test_the_log_has_an_answer_for_a_range_without_rows(world: World) -> None:
    begin = world.data_set.start_us - 3 * DAY_US
    page = world.viewer.get("/requests", from_=begin, to=begin + DAY_US)
    assert (page["rows"], page["next_cursor"], page["row_count"]) == ([], None, 0)
