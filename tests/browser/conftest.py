"""One seeded service and one Chromium for all tests here; a page of its own for each of them.

Both end with this package: Playwright keeps a loop running in the main thread, beside which no test
of another package could run one of its own.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.screen import Screen, new_context
from tests.browser.serving import World, seeded_world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser

FOLDER = "BROWSER_TESTS_FOLDER"
"""A folder that is filled once and served again by the next run, for whoever writes tests."""
NAMES = ("chromium", "chromium-browser", "google-chrome")
"""As Debian, Ubuntu and Google name it."""


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The seeded service."""
    kept = os.environ.get(FOLDER)
    with seeded_world(Path(kept) if kept else tmp_path_factory.mktemp("seeded")) as served:
        yield served


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """A headless Chromium, as the system has it."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("Chromium is not installed (Debian, Ubuntu: apt-get install chromium)")
    with sync_playwright() as playwright:
        # Tests run as root in containers, where Chromium has no sandbox.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def screens(world: World, chromium: Browser) -> Iterator[Callable[..., Screen]]:
    """Open a screen of somebody signed in; at the end none may have logged an error."""
    opened: list[Screen] = []

    def new_screen(token: str = "", **options: Any) -> Screen:
        context = new_context(chromium, world, token or world.tokens.viewer, **options)
        opened.append(Screen(context.new_page(), world.url))
        return opened[-1]

    yield new_screen
    complaints = [complaint for screen in opened for complaint in screen.complaints]
    for screen in opened:
        screen.page.context.close()
    assert complaints == []


@pytest.fixture
def screen(screens: Callable[..., Screen]) -> Screen:
    """The screen of a viewer of acme at a desk."""
    return screens()
