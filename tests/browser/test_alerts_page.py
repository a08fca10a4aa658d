"""Alerts and the on-call view: what is open, since when, for whom, why, and who was told."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.browser.alert_records import LIMIT_INCIDENT, OUTAGE_INCIDENT, SLO
from tests.browser.data_set import LIMITED_MODEL, OUTAGE_MODEL, OUTAGE_NODE
from tests.browser.screen import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.screen import Screen
    from tests.browser.serving import World

pytestmark = pytest.mark.integration

WEEK = {"from_": "now-7d", "to": "now"}


def test_open_and_resolved_incidents_are_listed(screen: Screen) -> None:
    screen.open("alerts", **WEEK)
    rows = {row["incident_id"]: row for row in screen.facts("Incidents")}
    assert set(rows) == {LIMIT_INCIDENT, OUTAGE_INCIDENT}
    assert rows[LIMIT_INCIDENT]["is_open"]
    assert not rows[OUTAGE_INCIDENT]["is_open"]
    text = screen.text()
    for word in (SLO, LIMITED_MODEL, OUTAGE_MODEL):
        assert word in text


def test_the_timeline_of_what_is_open_ends_now(screen: Screen) -> None:
    screen.open("alerts", **WEEK)
    last = screen.page.locator(".timeline-axis time").last.get_attribute("datetime") or ""
    assert "2" < last <= datetime.now(UTC).isoformat()


def test_the_timeline_is_marked_at_round_moments(screen: Screen) -> None:
    screen.open("alerts", **WEEK)
    axis = screen.page.locator(".timeline-axis")
    ticks = [
        (
            datetime.fromisoformat(each.get_attribute("datetime") or ""),
            float((each.get_attribute("style") or "").partition("left:")[2].strip(" %;")),
        )
        for each in axis.locator("time").all()
    ]
    assert len(ticks) >= 2
    assert all((at.minute % 5, at.second) == (0, 0) for at, _ in ticks)
    # Evenly apart in time, so evenly apart on the screen.
    steps = [after[1] - before[1] for before, after in itertools.pairwise(ticks)]
    assert max(steps) - min(steps) < 0.1


def test_an_incident_is_explained(screen: Screen) -> None:
    screen.open("alerts", **WEEK)
    screen.table("Incidents").get_by_role("button", name=re.compile(OUTAGE_MODEL)).first.click()
    panel = screen.page.get_by_role("dialog").first
    until(lambda: "page-fast" in panel.inner_text())
    text = panel.inner_text()
    assert "15.1" in text
    assert "delivered" in text
    assert "503" in text
    assert screen.state["incident"] == [OUTAGE_INCIDENT]
    panel.get_by_role("link", name="Its requests").click()
    until(lambda: screen.path == "/logs")
    screen.settle()
    assert {row["model"] for row in screen.facts("Requests, newest first")} == {OUTAGE_MODEL}


def test_what_a_notice_named_leads_to_the_requests_that_have_it_in_common(screen: Screen) -> None:
    screen.open("alerts", incident=OUTAGE_INCIDENT, **WEEK)
    panel = screen.page.get_by_role("dialog").first
    until(lambda: "Drivers" in panel.inner_text())
    assert re.search(rf"{OUTAGE_NODE}\s61\s%", panel.inner_text())
    panel.get_by_role("link", name=OUTAGE_NODE).click()
    until(lambda: screen.path == "/logs")
    screen.settle()
    assert {row["model"] for row in screen.facts("Requests, newest first")} == {OUTAGE_MODEL}
    assert screen.state["filter"] == [f"model={OUTAGE_MODEL}", f"node_id={OUTAGE_NODE}"]


def test_an_incident_has_an_address(screens: Callable[..., Screen], world: World) -> None:
    screen = screens(world.tokens.operator)
    screen.open("alerts", incident=LIMIT_INCIDENT, **WEEK)
    panel = screen.page.get_by_role("dialog").first
    until(lambda: LIMITED_MODEL in panel.inner_text())
    assert panel.get_by_role("button", name=re.compile("Silence")).count() == 1


def test_another_workspace_sees_none_of_them(screens: Callable[..., Screen], world: World) -> None:
    screen = screens(world.tokens.other)
    screen.open("alerts", **WEEK)
    text = screen.text()
    assert SLO not in text
    assert "No incident" in text


def test_the_one_screen_at_night_says_what_since_when_and_which_model(screen: Screen) -> None:
    screen.open("oncall")
    text = screen.text()
    assert "1 thing is broken" in text
    assert LIMITED_MODEL in text
    assert SLO in text
    assert re.search(r"\d+ min", text)
    assert OUTAGE_MODEL in text, "what ended in the last day"


def test_the_one_screen_at_night_says_who_and_which_error(screen: Screen) -> None:
    screen.open("oncall")
    text = screen.text()
    assert "rate_limit_exceeded" in text or "429" in text


def test_a_quiet_workspace_has_a_quiet_night(screens: Callable[..., Screen], world: World) -> None:
    screen = screens(world.tokens.other)
    screen.open("oncall")
    assert "broken" not in screen.text()
