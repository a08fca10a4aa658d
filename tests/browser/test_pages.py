"""Every page, light and dark, at a desk and on a phone: accessible, quiet, quick and small."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.data_set import DAY_US
from tests.browser.screen import PHONE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.screen import Screen
    from tests.browser.serving import World

pytestmark = pytest.mark.integration

PAGES = ("overview", "analytics", "models", "logs", "alerts", "cost", "pipeline", "oncall")
TITLES = {
    "overview": "Overview", "analytics": "Analytics", "models": "Model Metrics", "logs": "Logs",
    "alerts": "Alerts", "cost": "Cost", "pipeline": "Pipeline", "oncall": "On call",
}  # fmt: skip
MOST_BYTES = 1_500_000


def token_for(world: World, page: str) -> str:
    """Return who may see all of a page: the pipeline belongs to no workspace."""
    return world.tokens.everything if page == "pipeline" else world.tokens.operator


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_its_title_and_is_linked_from_the_others(
    screens: Callable[..., Screen], world: World, page: str
) -> None:
    screen = screens(token_for(world, page))
    screen.open("overview")
    screen.page.get_by_role("navigation").get_by_role("link", name=TITLES[page]).first.click()
    screen.settle()
    assert screen.path == f"/{page}"
    assert screen.page.get_by_role("heading", level=1).inner_text() == TITLES[page]
    assert TITLES[page] in screen.page.title()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_no_violation_of_wcag_aa(
    screens: Callable[..., Screen], world: World, page: str, *, dark: bool
) -> None:
    screen = screens(token_for(world, page), dark=dark)
    end = world.data_set.end_us
    screen.open(page, from_=end - DAY_US, to=end)
    assert screen.violations() == []
    assert screen.overflow_px() <= 0


@pytest.mark.parametrize("page", PAGES)
def test_a_page_can_be_read_on_a_phone(
    screens: Callable[..., Screen], world: World, page: str
) -> None:
    screen = screens(token_for(world, page), phone=True)
    screen.open(page, from_="now-24h", to="now")
    assert screen.overflow_px() <= 0
    assert screen.violations() == []
    heading = screen.page.get_by_role("heading", level=1).bounding_box()
    assert heading is not None
    assert heading["y"] < 200
    bar = screen.page.locator(".topbar").bounding_box()
    assert bar is not None
    assert bar["height"] < 100, "two lines at most"


def test_the_navigation_of_a_phone_has_words_and_all_of_them_fit(
    screens: Callable[..., Screen],
) -> None:
    screen = screens(phone=True)
    screen.open("overview", from_="now-24h", to="now")
    words = screen.page.locator("nav .nav-short")
    assert [word.strip() for word in words.all_inner_texts()] == [
        "Overview", "Analytics", "Models", "Logs", "Alerts", "Cost", "Pipeline", "On call",
    ]  # fmt: skip
    last = words.last.bounding_box()
    assert last is not None
    assert last["x"] + last["width"] <= PHONE["width"]


def test_the_range_is_whole_on_a_phone(screens: Callable[..., Screen], world: World) -> None:
    screen = screens(phone=True)
    end = world.data_set.end_us
    # The page with the most in its bar.
    screen.open("models", from_=end - DAY_US, to=end)
    label = screen.page.locator(".time-label")
    assert len(label.inner_text()) > len("2026-11-21 07:00 - 2026-11-22 07:00") - 3
    assert label.evaluate("e => e.scrollWidth <= e.clientWidth + 1")
    assert label.evaluate("e => e.getBoundingClientRect().height") < 36, "two lines"


@pytest.mark.parametrize("width", [1440, 900, 500])
@pytest.mark.parametrize("page", ["analytics", "models", "alerts", "pipeline"])
def test_four_tiles_are_never_three_and_one(
    screens: Callable[..., Screen], world: World, page: str, width: int
) -> None:
    screen = screens(token_for(world, page))
    screen.page.set_viewport_size({"width": width, "height": 900})
    screen.open(page, from_="now-24h", to="now")
    tiles = screen.page.locator(".grid-tiles").first.locator(".tile")
    tops = tiles.evaluate_all(
        "tiles => tiles.map(tile => Math.round(tile.getBoundingClientRect().top))"
    )
    assert len(tops) == 4
    assert {tops.count(top) for top in tops} in ({4}, {2})


@pytest.mark.parametrize("height", [844, 560])
def test_the_end_of_a_long_dialog_can_be_reached(
    screens: Callable[..., Screen], height: int
) -> None:
    screen = screens(phone=True)
    screen.page.set_viewport_size({**PHONE, "height": height})
    screen.open("models", from_="now-24h", to="now", refresh="off")
    screen.page.get_by_role("button", name="Export").first.click()
    dialog = screen.page.get_by_role("dialog")
    download = dialog.get_by_role("link", name="Download")
    download.scroll_into_view_if_needed()
    for part in (dialog, download):
        box = screen.steady_box(part)
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= height


def test_notes_take_one_line_on_a_phone_until_somebody_wants_more(
    screens: Callable[..., Screen],
) -> None:
    screen = screens(phone=True)
    screen.open("overview", from_="now-24h", to="now", refresh="off")
    notes = screen.page.locator(".notes")
    closed = screen.steady_box(notes)
    assert closed["height"] < 30
    notes.get_by_role("button", name="More").click()
    assert screen.steady_box(notes)["height"] > closed["height"] + 10
    notes.get_by_role("button", name="Less").click()
    assert screen.steady_box(notes)["height"] == closed["height"]


def test_notes_are_all_read_at_a_desk(screens: Callable[..., Screen]) -> None:
    screen = screens()
    screen.open("overview", from_="now-24h", to="now")
    notes = screen.page.locator(".notes")
    assert "The provider's bill is the reference." in notes.inner_text()
    assert notes.get_by_role("button").filter(visible=True).count() == 0


def test_a_legend_takes_one_line_until_somebody_wants_all(screens: Callable[..., Screen]) -> None:
    screen = screens()
    screen.open("models", from_="now-24h", to="now", refresh="off")
    chart = screen.chart("Request latency")
    chart.scroll_into_view_if_needed()
    more = chart.get_by_role("button", name="All 1")
    legend = chart.get_by_role("group", name="Series")
    more.wait_for()
    closed = screen.steady_box(legend)
    assert closed["height"] < 45
    count = chart.locator(".legend-items button").count()
    assert more.inner_text() == f"All {count}"
    more.click()
    assert screen.steady_box(legend)["height"] > closed["height"] + 15
    chart.get_by_role("button", name="Fewer").click()
    assert screen.steady_box(legend)["height"] == closed["height"]


@pytest.mark.parametrize("page", ["overview", "cost"])
def test_values_of_tiles_side_by_side_stand_at_one_height(
    screens: Callable[..., Screen], world: World, page: str
) -> None:
    screen = screens(token_for(world, page))
    # The narrowest window with six in a line, where some labels need two.
    screen.page.set_viewport_size({"width": 1250, "height": 900})
    screen.open(page, from_="now-24h", to="now")
    tops = screen.page.locator(".grid-tiles > .tile").evaluate_all(
        "tiles => tiles.map(tile => [tile, tile.querySelector('.tile-value')]"
        ".map(each => Math.round(each.getBoundingClientRect().top)))"
    )
    assert len(tops) == 6
    assert len({tuple(pair) for pair in tops}) == 1


@pytest.mark.parametrize("page", PAGES)
def test_a_first_view_is_small(screens: Callable[..., Screen], world: World, page: str) -> None:
    # Whose first view is second best: the store then knows its own files, as any store in use does.
    screens(token_for(world, page)).open(page)
    screen = screens(token_for(world, page))
    session = screen.page.context.new_cdp_session(screen.page)
    session.send("Network.enable")
    received: list[float] = []
    session.on(
        "Network.loadingFinished",
        lambda event: received.append(event["encodedDataLength"]),
    )
    screen.open(page)
    assert 0 < sum(received) < MOST_BYTES
