"""What people expect of any page: links that can be shared, back, zoom, drill-down, keys, live."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from tests.browser.checking import HOURS_24, assert_tiles, day
from tests.browser.data_set import HOUR_US, OUTAGE_MODEL
from tests.browser.oracle import workspace
from tests.browser.screen import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Route

    from tests.browser.screen import Screen
    from tests.browser.serving import World

pytestmark = pytest.mark.integration

COUNT_CANVASES = """
(() => {
  const make = document.createElement;
  window.canvases = 0;
  document.createElement = function (name, ...others) {
    window.canvases += name === "canvas" ? 1 : 0;
    return make.call(this, name, ...others);
  };
})();
"""


def us(text: str) -> int:
    """Return an instant of the address in microseconds since 1970."""
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1e6)


def drag(screen: Screen, title: str, first: float, last: float, *, below_px: float = 0) -> None:
    """Drag over a part of a chart's time axis, given as shares of its width.

    The button may be let go below the chart.
    """
    chart = screen.chart(title)
    chart.scroll_into_view_if_needed()
    canvas = chart.locator("canvas").first
    canvas.wait_for()
    box = screen.steady_box(canvas)
    y = box["y"] + box["height"] / 2
    mouse = screen.page.mouse
    mouse.move(box["x"] + first * box["width"], y)
    mouse.down()
    mouse.move(box["x"] + (first + last) / 2 * box["width"], y, steps=4)
    end_y = box["y"] + box["height"] + below_px if below_px else y
    mouse.move(box["x"] + last * box["width"], end_y, steps=4)
    mouse.up()


def test_a_shared_address_shows_the_same_to_another(
    screens: Callable[..., Screen], world: World
) -> None:
    start, end = day(world)
    mine = screens()
    mine.open("overview", from_=start, to=end, filter=f"model={OUTAGE_MODEL}")
    theirs = screens(world.tokens.operator)
    theirs.page.goto(mine.address)
    theirs.settle()
    assert theirs.tile("Requests").inner_text() == mine.tile("Requests").inner_text()
    is_acme = workspace("acme", model=OUTAGE_MODEL)
    assert_tiles(theirs, world.oracle.total(start, end, is_acme), ("requests", "cost_usd"))


def test_a_zoom_by_dragging_is_in_the_address_and_back_undoes_it(
    screen: Screen, world: World
) -> None:
    start, end = day(world)
    screen.open("overview", from_=start, to=end)
    before = screen.address
    drag(screen, "Requests", 0.4, 0.6)
    until(lambda: screen.address != before)
    screen.settle()
    first, last = us(screen.state["from"][0]), us(screen.state["to"][0])
    assert start < first < last < end
    totals = world.oracle.total(first, last, workspace("acme"))
    until(lambda: "loading" not in (screen.page.locator("main").get_attribute("data-state") or ""))
    screen.wait_until(
        "n => document.querySelector('main .tile[data-measure=requests] .tile-value').title"
        ".replaceAll(',', '') === String(n)",
        totals.measure("requests"),
    )
    screen.page.go_back()
    until(lambda: screen.address == before)
    whole = world.oracle.total(start, end, workspace("acme"))
    screen.wait_until(
        "n => document.querySelector('main .tile[data-measure=requests] .tile-value').title"
        ".replaceAll(',', '') === String(n)",
        whole.measure("requests"),
    )
    assert_tiles(screen, whole, ("requests", "cost_usd"))


def test_a_drag_that_ends_below_the_chart_ends_where_the_pointer_was(
    screen: Screen, world: World
) -> None:
    start, end = day(world)
    screen.open("overview", from_=start, to=end)
    before = screen.address
    drag(screen, "Requests", 0.3, 0.6, below_px=6)
    until(lambda: screen.address != before)
    assert us(screen.state["to"][0]) < start + (end - start) * 0.75


def test_a_refresh_leaves_the_focus_where_it_is(screen: Screen) -> None:
    screen.open("overview", **HOURS_24, refresh="off")
    link = screen.page.locator(".overview-incident a").first
    link.focus()
    age = screen.page.locator(".overview-incident .quiet").first
    before = age.inner_text()

    def is_drawn_anew() -> bool:
        # To ask again would take the place of what is being asked.
        screen.page.keyboard.press("r")
        screen.quiet()
        return age.inner_text() != before

    until(is_drawn_anew)
    assert link.evaluate("link => link === document.activeElement")


def test_a_link_into_a_page_keeps_the_filters(screen: Screen) -> None:
    screen.open("analytics", **HOURS_24, filter="region=us-east")
    screen.table("Models by").locator("tbody a").first.click()
    until(lambda: screen.path == "/models")
    assert "region=us-east" in screen.state["filter"]
    assert any(text.startswith("model=") for text in screen.state["filter"])


def test_links_of_tiles_follow_the_range(screen: Screen) -> None:
    screen.open("overview", **HOURS_24, refresh="off")
    screen.page.get_by_role("button", name=re.compile("Last 24 hours")).click()
    screen.page.get_by_role("button", name="Last 7 days").click()
    screen.settle()
    forecast = screen.page.get_by_role("group", name="Forecast to month end").get_by_role("link")
    until(lambda: "now-7d" in (forecast.get_attribute("href") or ""))
    alerts = screen.page.locator("main").get_by_role("link", name="Alerts", exact=True)
    until(lambda: "now-7d" in (alerts.get_attribute("href") or ""))


def test_what_draws_charts_is_fetched_beside_the_answers_and_only_where_it_is_used(
    screen: Screen,
) -> None:
    asked: list[str] = []
    screen.page.on("request", lambda request: asked.append(request.url))
    waiting: list[Route] = []
    # It waits for nothing of ours: neither for who looks, nor for the script that asks it.
    screen.page.route("**/app.js", lambda route: waiting.append(route))
    with screen.page.expect_response("**/vendor/echarts*"):
        screen.page.goto("/overview?from=now-24h", wait_until="commit")

    def is_script_asked_for() -> bool:
        screen.page.wait_for_timeout(100)
        return waiting != []

    until(is_script_asked_for)
    waiting.pop().continue_()
    screen.page.unroute("**/app.js")
    screen.settle()
    assert sum("vendor/echarts" in url for url in asked) == 1
    asked.clear()
    screen.open("alerts", **HOURS_24)
    assert not any("vendor/echarts" in url for url in asked)


def test_what_draws_charts_is_made_ready_while_the_first_numbers_are_awaited(
    screen: Screen,
) -> None:
    screen.page.add_init_script(COUNT_CANVASES)
    held: list[Route] = []
    is_awaited = True

    def take(route: Route) -> None:
        if is_awaited:
            held.append(route)
        else:
            route.continue_()

    screen.page.route("**/api/v1/metrics?*", take)
    screen.page.goto("/analytics?from=now-24h&refresh=off", wait_until="commit")
    until(lambda: screen.page.evaluate("window.canvases") > 0)
    assert screen.page.locator("main canvas").count() == 0, "it is no chart of the page"
    is_awaited = False
    for route in held:
        route.continue_()
    screen.settle()
    screen.chart("Tokens analysis").locator("canvas").first.wait_for()


def test_a_point_of_a_chart_leads_to_its_rows(screen: Screen, world: World) -> None:
    start, end = day(world)
    screen.open("overview", from_=start, to=end)
    chart = screen.chart("Requests")
    chart.scroll_into_view_if_needed()
    canvas = chart.locator("canvas").first
    box = screen.steady_box(canvas)
    canvas.click(position={"x": box["width"] / 2, "y": box["height"] * 0.7})
    until(lambda: screen.path == "/logs")
    screen.settle()
    first, last = us(screen.state["from"][0]), us(screen.state["to"][0])
    assert last - first <= HOUR_US
    count = sum(1 for _ in world.oracle.sent(first, last, workspace("acme")))
    assert f"{count:,} attempts" in screen.text()
    screen.page.go_back()
    until(lambda: screen.path == "/overview")


def test_filters_stand_as_tags_and_go_one_by_one(screen: Screen) -> None:
    screen.open("models", filter=[f"model={OUTAGE_MODEL}", "region!=us-east"], **HOURS_24)
    remove = screen.page.get_by_role("button", name=re.compile("Remove|Clear"))
    tags = screen.page.get_by_text(OUTAGE_MODEL, exact=False)
    assert tags.count() >= 1
    remove.first.click()
    until(lambda: len(screen.state.get("filter", [])) < 2)


def test_another_time_zone_moves_the_clock_and_not_the_numbers(
    screen: Screen, world: World
) -> None:
    start, end = day(world)
    totals = world.oracle.total(start, end, workspace("acme"))
    for zone in ("UTC", "Asia/Kolkata"):
        screen.open("overview", from_=start, to=end, time_zone=zone)
        assert_tiles(screen, totals, ("requests", "cost_usd"))
    screen.open("logs", from_=start, to=end, time_zone="Asia/Kolkata")
    kolkata = screen.rows("Requests, newest first")[0]["ts_end"]
    screen.open("logs", from_=start, to=end, time_zone="UTC")
    assert kolkata != screen.rows("Requests, newest first")[0]["ts_end"]


def test_keys_search_and_open_pages(screen: Screen) -> None:
    screen.open("overview", **HOURS_24)
    screen.page.keyboard.press("/")
    search = screen.page.get_by_role("dialog").get_by_role("combobox").or_(
        screen.page.get_by_role("dialog").get_by_role("searchbox")
    ).or_(screen.page.get_by_role("dialog").get_by_role("textbox")).first  # fmt: skip
    search.fill("Logs")
    screen.page.keyboard.press("Enter")
    until(lambda: screen.path == "/logs")


def test_everything_can_be_reached_by_tab_and_focus_is_seen(screen: Screen) -> None:
    screen.open("overview", **HOURS_24)
    names = set()
    for _ in range(12):
        screen.page.keyboard.press("Tab")
        names.add(screen.page.evaluate("document.activeElement.outerHTML.slice(0, 120)"))
        outline = screen.page.evaluate(
            "(() => { const s = getComputedStyle(document.activeElement);"
            " return s.outlineStyle !== 'none' || s.boxShadow !== 'none'; })()"
        )
        assert outline, screen.page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
    assert len(names) >= 10


def test_light_and_dark_follow_the_system_and_a_switch(screens: Callable[..., Screen]) -> None:
    def shade(screen: Screen) -> int:
        color: str = screen.page.evaluate("getComputedStyle(document.body).backgroundColor")
        numbers = [float(number) for number in re.findall(r"[\d.]+", color)[:3]]
        scale = 255 if max(numbers) <= 1 else 1
        return int(sum(numbers) * scale)

    light, dark = screens(), screens(dark=True)
    for one in (light, dark):
        one.open("overview", **HOURS_24)
    assert shade(light) > 600 > 200 > shade(dark)
    light.page.keyboard.press("d")
    until(lambda: shade(light) < 200)
    light.page.reload()
    light.settle()
    assert shade(light) < 200


def test_units_and_definitions_are_told_on_focus(screen: Screen) -> None:
    screen.open("overview", **HOURS_24)
    term = screen.tile("TTFT").locator("[tabindex='0'], button, [aria-describedby]").first
    term.focus()
    until(lambda: screen.page.get_by_role("tooltip").filter(visible=True).count() > 0)
    assert "first" in screen.page.get_by_role("tooltip").filter(visible=True).first.inner_text()


def test_colours_stay_with_their_series(screen: Screen, world: World) -> None:
    start, end = day(world)

    def colours() -> dict[str, str]:
        drawn: dict[str, str] = screen.chart("Spend by model").evaluate(
            "f => Object.fromEntries(f.chartData.series.map(s => [s.label, s.color]))"
        )
        return drawn

    screen.open("overview", from_=start, to=end)
    screen.chart_data("Spend by model")
    before = colours()
    screen.open("overview", from_=start, to=end, filter=f"model={OUTAGE_MODEL},gpt-4o-mini")
    screen.chart_data("Spend by model")
    after = colours()
    # A model below the top ones is no series of its own before.
    both = set(before) & set(after)
    assert OUTAGE_MODEL in both
    assert {label: after[label] for label in both} == {label: before[label] for label in both}
