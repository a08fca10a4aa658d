"""Overview: spend, requests, success, first token, forecast and what changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.checking import HOURS_24, assert_tiles, day, is_written
from tests.browser.oracle import workspace

if TYPE_CHECKING:
    from tests.browser.screen import Screen
    from tests.browser.serving import World

pytestmark = pytest.mark.integration


def test_the_tiles_are_the_sums_of_the_events(screen: Screen, world: World) -> None:
    start, end = day(world)
    screen.open("overview", from_=start, to=end)
    totals = world.oracle.total(start, end, workspace("acme"))
    assert_tiles(screen, totals, ("cost_usd", "requests", "success_ratio", "ttft_p95_ms"))


def test_spend_is_drawn_by_model_and_sums_to_the_tile(screen: Screen, world: World) -> None:
    start, end = day(world)
    screen.open("overview", from_=start, to=end)
    drawn = screen.chart_data("Spend by model")
    expected = world.oracle.groups(start, end, ["model"], workspace("acme"))
    for series in drawn["series"]:
        if (series["label"],) in expected:
            total = expected[(series["label"],)].cost_usd
            assert sum(value or 0 for value in series["values"]) == pytest.approx(float(total))
    whole = sum(value or 0 for series in drawn["series"] for value in series["values"])
    cost = world.oracle.total(start, end, workspace("acme")).cost_usd
    assert whole == pytest.approx(float(cost))


def test_the_month_is_forecast(screen: Screen, world: World) -> None:
    # What is to come shrinks by the second: the figure belongs between two answers around it.
    before = float(world.viewer.get("/forecast")["projected_usd"])
    screen.open("overview", **HOURS_24)
    shown = screen.page.get_by_role("group", name="Forecast to month end")
    text = shown.locator(".tile-value").inner_text()
    # Asked as the page asks: an answer to the first question would be kept, and be older.
    after = float(world.viewer.get("/forecast", time_zone="UTC")["projected_usd"])
    middle, half = (before + after) / 2, abs(before - after) / 2
    assert is_written(text, middle, half / middle + 1e-9), (before, text, after)


def test_what_is_broken_now_is_on_the_first_page(screen: Screen) -> None:
    screen.open("overview", **HOURS_24)
    assert "chat-success" in screen.text()
    assert "gpt-4o-mini" in screen.text()


def test_every_figure_says_which_cost_it_is(screen: Screen) -> None:
    screen.open("overview", **HOURS_24)
    assert "price cost" in screen.text().lower()
