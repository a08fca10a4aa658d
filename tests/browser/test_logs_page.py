"""Logs: search, seven columns, the side panel, export, and pages of rows."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.checking import is_written
from tests.browser.data_set import HOUR_US
from tests.browser.oracle import Where, cost, value_of, workspace
from tests.browser.screen import until

if TYPE_CHECKING:
    from tests.browser.screen import Screen
    from tests.browser.serving import World

pytestmark = pytest.mark.integration

TABLE = "Requests, newest first"
SEVEN = ["Request ID", "Timestamp", "Model", "Usage", "TTFT", "Latency", "Status"]
DOWNLOAD = re.compile("Download|Export", re.IGNORECASE)


def spanned(world: World) -> dict[str, int]:
    """Return an hour with failures of every kind."""
    begin = world.data_set.outage[0]
    return {"from_": begin, "to": begin + HOUR_US}


def expected(world: World, where: Where = lambda _event: True) -> list[dict[str, Any]]:
    """Return the attempts of acme in that hour, newest first."""
    is_acme, span = workspace("acme"), spanned(world)
    events = [
        sent.event or {}
        for sent in world.oracle.sent(
            span["from_"], span["to"], lambda event: is_acme(event) and where(event)
        )
    ]
    return sorted(events, key=lambda e: (e["ts_end"], e["event_id"]), reverse=True)


def shown_ids(screen: Screen) -> list[str]:
    """Return the event ids of the rows on the screen; an empty page has no table."""
    if screen.table(TABLE).count() == 0:
        return []
    return [row["event_id"] for row in screen.facts(TABLE)]


def test_the_table_has_exactly_the_seven_columns(screen: Screen, world: World) -> None:
    screen.open("logs", **spanned(world))
    assert screen.headings(TABLE) == SEVEN


def test_rows_are_the_attempts_that_were_sent(screen: Screen, world: World) -> None:
    screen.open("logs", **spanned(world))
    rows = screen.rows(TABLE)
    events = expected(world)
    assert len(rows) == min(100, len(events))
    for row, event in zip(rows, events, strict=False):
        assert row["request_id"] == event["request_id"]
        assert row["model"] == event["model"]
        assert str(event["status_code"]) in row["status_code"]
        assert is_written(row["ttft_ms"], event.get("ttft_ms"))
        assert is_written(row["e2e_ms"], event.get("e2e_ms"))
        total = (event.get("input_tokens") or 0) + (event.get("output_tokens") or 0)
        assert row["usage"].split()[0] == f"{total:,}"
    assert f"{len(events):,} attempts" in screen.text()


def test_the_days_that_rows_are_kept_are_said(screen: Screen, world: World) -> None:
    screen.open("logs", **spanned(world))
    assert "14 days" in screen.text()


@pytest.mark.parametrize("status", ["503", "5xx", "429", "200"])
def test_rows_are_filtered_by_code_and_by_class(screen: Screen, world: World, status: str) -> None:
    screen.open("logs", status=status, **spanned(world))
    events = expected(
        world, lambda e: status in {str(e["status_code"]), value_of(e, "status_class")}
    )
    assert shown_ids(screen) == [event["event_id"] for event in events][:100]


def test_rows_are_filtered_by_model(screen: Screen, world: World) -> None:
    screen.open("logs", filter="model=bge-m3", **spanned(world))
    events = expected(world, lambda e: e["model"] == "bge-m3")
    assert shown_ids(screen) == [event["event_id"] for event in events]


def test_a_request_is_found_by_its_id(screen: Screen, world: World) -> None:
    wanted = expected(world)[7]["request_id"]
    screen.open("logs", **spanned(world))
    box = screen.page.get_by_role("searchbox").or_(screen.page.get_by_label("Request ID")).first
    box.fill(wanted)
    box.press("Enter")
    until(lambda: {row["request_id"] for row in screen.facts(TABLE)} == {wanted})
    assert screen.state["request_id"] == [wanted]


def test_an_id_that_nobody_sent_gets_help(screen: Screen, world: World) -> None:
    screen.open("logs", request_id="req-nowhere", **spanned(world))
    text = screen.text()
    assert "req-nowhere" in text
    assert screen.page.get_by_role("button", name=re.compile("Clear|Search all")).count() >= 1


def test_details_open_in_a_side_panel_as_a_list_and_as_json(screen: Screen, world: World) -> None:
    event = next(e for e in expected(world) if e["status_code"] == 200 and e.get("ttft_ms"))
    screen.open("logs", request_id=event["request_id"], **spanned(world))
    screen.table(TABLE).get_by_role("button").first.click()
    panel = screen.page.get_by_role("dialog").or_(screen.page.get_by_role("complementary")).first
    panel.wait_for()
    until(lambda: event["user_id"] in panel.inner_text())
    text = panel.inner_text()
    for part in (event["request_id"], event["metadata"]["tenant_name"], event["region"]):
        assert part in text
    panel.get_by_text("JSON", exact=True).first.click()
    until(lambda: '"user_id"' in panel.inner_text())
    assert event["node_id"] in panel.inner_text()
    screen.page.keyboard.press("Escape")
    panel.wait_for(state="hidden")


def test_the_panel_shows_every_attempt_of_a_request(screen: Screen, world: World) -> None:
    again = next(e for e in expected(world) if e["attempt_no"] > 1)
    screen.open("logs", request_id=again["request_id"], **spanned(world))
    screen.table(TABLE).get_by_role("button").first.click()
    panel = screen.page.get_by_role("dialog").or_(screen.page.get_by_role("complementary")).first
    until(lambda: "ttempt" in panel.inner_text())
    attempts = [e for e in expected(world) if e["request_id"] == again["request_id"]]
    assert len(attempts) >= 2


@pytest.mark.parametrize("form", ["CSV", "JSON lines"])
def test_an_export_has_the_rows_of_the_page_and_says_its_limits(
    screen: Screen, world: World, form: str
) -> None:
    screen.open("logs", status="503", **spanned(world))
    screen.page.get_by_role("button", name="Export").first.click()
    dialog = screen.page.get_by_role("dialog")
    dialog.get_by_text(form, exact=False).first.click()
    events = expected(world, lambda e: e["status_code"] == 503)
    until(lambda: str(len(events)) in dialog.inner_text())
    data = screen.download(
        dialog.get_by_role("link", name=DOWNLOAD).or_(
            dialog.get_by_role("button", name=DOWNLOAD)
        ).last
    )  # fmt: skip
    if form == "CSV":
        rows = list(csv.DictReader(io.StringIO(data.decode())))
    else:
        rows = [json.loads(line) for line in data.splitlines()]
    assert [row["event_id"] for row in rows] == [event["event_id"] for event in events]
    assert [row["event_id"] for row in rows][:100] == shown_ids(screen)
    paid = sum(float(row["price_cost"]) for row in rows)
    assert paid == pytest.approx(float(sum(cost(event)[1] for event in events)))


def test_older_rows_are_on_the_next_page_and_back(screen: Screen, world: World) -> None:
    begin = world.data_set.outage[0]
    span = {"from_": begin - 6 * HOUR_US, "to": begin + HOUR_US}
    screen.open("logs", **span)
    first = shown_ids(screen)
    screen.page.get_by_role("button", name="Older").click()
    until(lambda: shown_ids(screen) != first)
    second = shown_ids(screen)
    assert not set(first) & set(second)
    screen.page.go_back()
    until(lambda: shown_ids(screen) == first)
