"""What people see when things fail: slow, away, signed out, too many, nothing at all."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

import pytest

from tests.browser.checking import HOURS_24, assert_tiles, day
from tests.browser.data_set import CALLERS, DAY_US
from tests.browser.oracle import workspace
from tests.browser.screen import until
from tests.browser.test_pages import PAGES, token_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Locator

    from tests.browser.screen import Screen
    from tests.browser.serving import World

pytestmark = pytest.mark.integration


@contextlib.contextmanager
def store_frozen(world: World) -> Iterator[None]:
    """Let the store answer nothing for a while."""
    world.store.freeze()
    try:
        yield
    finally:
        world.store.thaw()


@contextlib.contextmanager
def store_away(world: World) -> Iterator[None]:
    """Take the store away, and bring it back."""
    world.store.stop()
    try:
        yield
    finally:
        world.store.start()


def ask_until_shown(screen: Screen, place: Locator) -> None:
    """Ask anew until something is there; an answer that is still remembered does not show it."""

    def is_shown() -> bool:
        # Asking takes the place of what is being asked, so each time gets some seconds.
        screen.page.keyboard.press("r")
        for _ in range(60):
            if place.is_visible():
                return True
            screen.page.wait_for_timeout(100)
        return False

    until(is_shown)


def test_a_slow_answer_is_waited_for_and_then_shown(screen: Screen, world: World) -> None:
    start, end = day(world)
    with store_frozen(world):
        # A span that nobody has asked for yet, so that no answer is remembered.
        screen.page.goto(f"/overview?from={start // 1000 + 60_000}&to={end // 1000}")
        screen.page.wait_for_selector('main[data-state="loading"]')
        screen.page.wait_for_timeout(1500)
        assert screen.page.locator('main[data-state="loading"]').count() == 1
        assert "rror" not in screen.text()
    screen.settle()
    totals = world.oracle.total(start + 60_000_000, end, workspace("acme"))
    assert_tiles(screen, totals, ("requests",))


def test_a_store_that_is_away_is_said_and_comes_back_by_itself(
    screen: Screen, world: World
) -> None:
    # Not drawn anew by itself: what the last 24 hours hold changes by the second.
    screen.open("overview", **HOURS_24, refresh="off")
    shown = screen.tile("Requests").inner_text()
    with screen.expecting_complaints():
        with store_away(world):
            banner = screen.page.get_by_role("alert").filter(
                has_text=re.compile("store|try", re.IGNORECASE)
            )
            ask_until_shown(screen, banner.first)
            # What was known stays on the screen, so nobody looks at an empty page.
            assert screen.tile("Requests").inner_text() == shown
        banner.first.wait_for(state="hidden")


def test_a_page_opened_while_the_store_is_away_draws_itself_later(
    screen: Screen, world: World
) -> None:
    start, end = day(world)
    with screen.expecting_complaints():
        with store_away(world):
            screen.page.goto(f"/overview?from={start // 1000 + 120_000}&to={end // 1000}")
            screen.page.wait_for_selector('main[data-state="error"]')
            assert re.search("store", screen.page.inner_text("body"), re.IGNORECASE)
        screen.page.wait_for_selector('main[data-state="ready"]')
    totals = world.oracle.total(start + 120_000_000, end, workspace("acme"))
    assert_tiles(screen, totals, ("requests",))


def test_a_failure_that_lasts_is_said_once_and_its_button_can_be_reached(
    screen: Screen, world: World
) -> None:
    screen.open("overview", **HOURS_24, refresh="off")
    with screen.expecting_complaints():
        screen.page.route("**/api/v1/metrics?*", lambda route: route.abort())
        screen.page.keyboard.press("r")
        again = screen.page.locator(".problem").get_by_role("button", name="Try again")
        again.focus()
        failed: list[str] = []
        screen.page.on("requestfailed", lambda request: failed.append(request.url))

        def has_failed_again() -> bool:
            screen.page.wait_for_timeout(200)
            return len(failed) >= 4

        until(has_failed_again)
        screen.page.wait_for_timeout(500)
        assert again.evaluate("button => button === document.activeElement")
        screen.page.unroute("**/api/v1/metrics?*")
        # It has the focus; by itself the page may have asked again by now, and the button be gone.
        screen.page.keyboard.press("Enter")
        again.wait_for(state="hidden")


def test_charts_that_cannot_be_drawn_say_so_and_are_drawn_later(screen: Screen) -> None:
    with screen.expecting_complaints():
        screen.page.route("**/vendor/echarts*", lambda route: route.abort())
        screen.open("overview", **HOURS_24, refresh="off")
        chart = screen.chart("Spend by model")
        chart.get_by_text("No drawing").wait_for()
        # The numbers are there all the same.
        chart.get_by_role("button", name=re.compile("as a table")).click()
        assert chart.locator("tbody tr").count() > 1
        chart.get_by_role("button", name=re.compile("as a table")).click()
        screen.page.unroute("**/vendor/echarts*")
        chart.get_by_role("button", name="Try again").click()
        chart.locator("canvas").first.wait_for()


def test_who_signs_in_as_somebody_else_sees_what_is_theirs(
    screens: Callable[..., Screen], world: World
) -> None:
    screen = screens()
    screen.open("alerts", **HOURS_24)
    label = screen.page.locator(".account-label")
    before = label.inner_text()
    with screen.expecting_complaints():
        screen.page.context.clear_cookies()
        screen.page.keyboard.press("r")
        dialog = screen.page.get_by_role("dialog", name=re.compile("Sign in"))
        dialog.get_by_label("Token").fill(world.tokens.other)
        dialog.get_by_label("Token").press("Enter")
        dialog.wait_for(state="hidden")
        screen.settle()
    assert label.inner_text() != before
    assert screen.path == "/alerts"


def test_a_revoked_token_asks_to_sign_in_and_goes_on_where_it_was(
    screens: Callable[..., Screen], world: World
) -> None:
    screen = screens(world.tokens.short_lived)
    screen.open("logs", **HOURS_24)
    token_id = world.tokens.short_lived.split("_")[1]
    answer = world.admin.ask(f"/tokens/{token_id}", method="DELETE")
    assert answer.status in {200, 204}
    with screen.expecting_complaints():
        screen.page.keyboard.press("r")
        dialog = screen.page.get_by_role("dialog", name=re.compile("Sign in"))
        dialog.wait_for()
        box = dialog.get_by_label("Token")
        box.fill("imt_000000000000_wrong")
        box.press("Enter")
        dialog.get_by_role("alert").filter(has_text=re.compile(r"\w")).wait_for()
        box.fill(world.tokens.viewer)
        box.press("Enter")
        dialog.wait_for(state="hidden")
        screen.settle()
    assert screen.path == "/logs"
    assert len(screen.rows("Requests, newest first")) == 100


def test_the_link_of_the_server_signs_in_and_leaves_no_token(
    screens: Callable[..., Screen], world: World, chromium: object
) -> None:
    screen = screens()
    screen.page.context.clear_cookies()
    screen.page.goto(f"/#token={world.tokens.viewer}")
    screen.settle()
    assert world.tokens.viewer not in screen.address
    assert screen.path == "/overview"
    assert screen.page.evaluate("document.cookie") == ""


def test_ten_thousand_groups_are_drawn_as_the_top_and_the_rest(
    screens: Callable[..., Screen], world: World
) -> None:
    screen = screens(world.tokens.crowd)
    end = world.data_set.end_us
    screen.open("models", from_=end - 4 * DAY_US, to=end, view="user_id", compare="none")
    drawn = screen.chart_data("Requests per second")
    assert len(drawn["series"]) == 11
    assert [series["isOther"] for series in drawn["series"]].count(True) == 1
    assert re.search(r"10,000|10 k|10,?000", screen.text()), CALLERS
    assert screen.overflow_px() <= 0


@pytest.mark.parametrize("page", PAGES)
def test_a_range_without_data_helps(
    screens: Callable[..., Screen], world: World, page: str
) -> None:
    screen = screens(token_for(world, page))
    begin = world.data_set.start_us - 3 * DAY_US
    screen.open(page, from_=begin, to=begin + DAY_US)
    text = screen.text()
    assert len(text) > 40
    assert not re.search(r"NaN|undefined|null|Infinity|\[object", text)


def test_a_question_that_cannot_be_answered_says_why_and_what_next(screen: Screen) -> None:
    with screen.expecting_complaints():
        screen.page.goto("/overview?from=now-400d&to=now-500d")
        screen.page.wait_for_selector('main[data-state="error"]')
        text = screen.page.inner_text("body")
    assert "from" in text
    assert screen.page.get_by_role("navigation").count() >= 1


def test_what_a_range_lacks_is_said(screen: Screen) -> None:
    screen.open("logs", from_="now-30d", to="now")
    assert re.search("14 days|since", screen.text())


def test_an_unknown_address_is_not_found(screen: Screen) -> None:
    with screen.expecting_complaints():
        answer = screen.page.goto("/overview/nowhere?from=now-1h")
    assert answer is not None
    assert answer.status == 404
