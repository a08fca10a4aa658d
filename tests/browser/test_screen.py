"""What a screen hears of its tab, without which a test would pass or fail by luck."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.screen import Screen, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Route

pytestmark = pytest.mark.integration

ADDRESS = "http://console.test"
SLOW_MS = 400


@pytest.fixture
def screen(chromium: Browser) -> Iterator[Screen]:
    """A tab before an empty page; nothing listens where it comes from."""
    page = chromium.new_page()
    page.route(f"{ADDRESS}/**", lambda route: route.fulfill(body=" ", content_type="text/html"))
    page.goto(ADDRESS)
    yield Screen(page, ADDRESS)
    page.close()


def test_a_wait_goes_on_where_the_policy_of_the_page_forbids_to_evaluate_texts(
    screen: Screen,
) -> None:
    policy = {"Content-Security-Policy": "script-src 'self'"}
    screen.page.route(f"{ADDRESS}/strict", lambda route: route.fulfill(body=" ", headers=policy))
    screen.page.goto(f"{ADDRESS}/strict")
    screen.page.evaluate("ms => void setTimeout(() => { globalThis.told = 7; }, ms)", SLOW_MS)
    screen.wait_until("told => globalThis.told === told", 7)


def held(screen: Screen, path: str) -> Route:
    """Return a request that the page makes now, before its answer."""
    routes: list[Route] = []
    screen.page.route(f"{ADDRESS}{path}", lambda route: routes.append(route))
    screen.page.evaluate("path => void fetch(path).catch(() => {})", path)

    def is_made() -> bool:
        screen.page.wait_for_timeout(10)
        return routes != []

    until(is_made)
    return routes[0]


@pytest.mark.parametrize("is_answered", [True, False])
def test_what_fails_late_was_expected_too(screen: Screen, *, is_answered: bool) -> None:
    with screen.expecting_complaints():
        route = held(screen, "/late")
        if is_answered:
            route.fulfill(status=503)
        else:
            route.abort()
    screen.page.wait_for_timeout(SLOW_MS)
    assert screen.complaints == []


def test_what_fails_outside_is_no_more_expected(screen: Screen) -> None:
    with screen.expecting_complaints():
        pass
    held(screen, "/later").fulfill(status=503)
    screen.quiet()
    (complaint,) = screen.complaints
    assert "503" in complaint


def test_a_page_is_quiet_only_when_it_asks_for_nothing_more(screen: Screen) -> None:
    first = held(screen, "/first")
    screen.page.route(f"{ADDRESS}/second", lambda route: route.fulfill(body="done"))
    # One answer leads to the next question.
    screen.page.evaluate(
        "ms => { setTimeout(async () => {"
        " globalThis.said = await (await fetch('/second')).text(); }, ms / 4); }",
        SLOW_MS,
    )
    first.fulfill(body="")
    screen.quiet()
    assert screen.page.evaluate("globalThis.said") == "done"
