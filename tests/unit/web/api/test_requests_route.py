"""The log page by page, as a file, and one request in full."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

if TYPE_CHECKING:
    from tests.unit.web.api.asking import Bench


def pages(filled: Bench, query: str, *, token: str = "chief") -> list[dict[str, Any]]:
    """Return the rows of every page."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        said = filled.body(f"/requests?limit=30{query}{cursor}", token=token)
        found += said["rows"]
        if said["next_cursor"] is None:
            return found
        cursor = f"&cursor={said['next_cursor']}"


def test_pages_hold_every_row_once_newest_first(filled: Bench) -> None:
    rows = pages(filled, "")
    assert len({row["event_id"] for row in rows}) == len(rows) == 200
    assert [row["ts_end"] for row in rows] == sorted((row["ts_end"] for row in rows), reverse=True)


@pytest.mark.parametrize(
    ("query", "name", "values"),
    [
        ("&model=model-1", "model", {"model-1"}),
        ("&status=503", "status_code", {503}),
        ("&status=5xx", "status_class", {"5xx"}),
        ("&status=2xx&status=503", "status_code", {200, 503}),
        ("&user_id=u1,u2", "user_id", {"u1", "u2"}),
        ("&request_id=r7", "request_id", {"r7"}),
        ("&event_id=e007", "event_id", {"e007"}),
        ("&final_only=true", "is_final", {True}),
        ("&filter=metadata.tenant%3Dc1&model=model-1", "model", {"model-1"}),
    ],
)
def test_a_page_holds_what_was_asked_for_only(
    filled: Bench, query: str, name: str, values: set[Any]
) -> None:
    rows = pages(filled, query)
    assert {row[name] for row in rows} == values
    assert filled.body(f"/requests?limit=1{query}")["row_count"] == len(rows)


def test_a_page_says_how_many_rows_there_are_and_how_long_they_are_kept(filled: Bench) -> None:
    said = filled.body("/requests?limit=1")
    assert (said["row_count"], said["row_count_is_lower_bound"]) == (200, False)
    assert said["kept_days"] == 14


def test_a_caller_of_one_workspace_sees_its_rows_only(filled: Bench) -> None:
    rows = pages(filled, "", token="viewer")
    assert {row["workspace_id"] for row in rows} == {"acme"}
    own = {row["request_id"] for row in rows}
    foreign = next(r["request_id"] for r in filled.store.rows if r["request_id"] not in own)
    assert filled.get(f"/requests/{foreign}", token="viewer").status_code == 404
    assert filled.get(f"/requests/{foreign}").status_code == 200


def test_a_cursor_of_another_question_is_refused(filled: Bench) -> None:
    cursor = filled.body("/requests?limit=5")["next_cursor"]
    assert "cursor" in filled.refused(f"/requests?limit=5&model=model-1&cursor={cursor}")
    assert "cursor" in filled.refused("/requests?cursor=nonsense")


def test_a_file_holds_the_rows_of_all_pages_and_says_how_many(filled: Bench) -> None:
    response = filled.get("/requests?model=model-1&format=csv")
    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert [row["event_id"] for row in rows] == [
        row["event_id"] for row in pages(filled, "&model=model-1")
    ]
    assert response.headers["X-Row-Count"] == str(len(rows))
    assert response.headers["X-Row-Limit"] == "100000"
    assert response.headers["X-Is-Truncated"] == "false"


def test_a_file_that_is_cut_says_so(filled: Bench) -> None:
    response = filled.get("/requests?limit=7&format=jsonl")
    assert len(response.content.splitlines()) == 7
    assert response.headers["X-Row-Limit"] == "7"
    assert response.headers["X-Is-Truncated"] == "true"


@pytest.mark.parametrize(("form", "limit"), [("json", 1001), ("csv", 1_000_001)])
def test_more_rows_than_may_be_are_refused(filled: Bench, form: str, limit: int) -> None:
    assert "limit" in filled.refused(f"/requests?format={form}&limit={limit}")


def test_a_request_in_full_has_every_attempt_in_order(filled: Bench) -> None:
    said = filled.body("/requests/r0")
    assert said["request_id"] == "r0"
    assert {each["request_id"] for each in said["attempts"]} == {"r0"}
    assert {"metadata", "team_id", "region"} <= set(said["attempts"][0])


@pytest.mark.parametrize("name", ["a/b", "ü \U0001f980", "100%", "a?b#c", "'; --", "a\\b"])
def test_a_request_is_found_whatever_its_id_is(bench: Bench, name: str) -> None:
    bench.store.rows.append({**bench.store.rows[0], "request_id": name})
    said = bench.body(f"/requests/{quote(name, safe='')}")
    assert (said["request_id"], len(said["attempts"])) == (name, 1)


def test_a_metadata_key_may_hold_a_slash(bench: Bench) -> None:
    bench.store.rows.append({**bench.store.rows[0], "metadata": {"example.com/tenant": "x"}})
    said = bench.body(f"/dimensions/{quote('metadata.example.com/tenant', safe='')}/values")
    assert {"value": "x", "requests": 1} in said["values"]
