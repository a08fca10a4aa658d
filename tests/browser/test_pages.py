"""Every page, light and dark, at a desk and on a phone: accessible, quiet, quick and small."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.data_set import DAY_US

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
