"""What arrives while somebody looks: on the screen within seconds, without a reload or a flicker."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import orjson
import pytest

from tests.browser.data_set import Sent

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.screen import Screen
    from tests.browser.serving import World

pytestmark = pytest.mark.integration

ADDED = 7


def just_ended(count: int) -> list[Sent]:
    """Return requests of the workspace `crowd` that have just ended."""
    ended_us = int(time.time() * 1e6) - 1_000_000
    events = [
        {"event_id": f"live-{number}", "request_id": f"live-{number}", "ts_end": ended_us,
         "workspace_id": "crowd", "provider": "acme-gpu", "model": "llama-3.3-70b",
         "status_code": 200, "input_tokens": 10, "output_tokens": 5}
        for number in range(count)
    ]  # fmt: skip
    return [Sent(ended_us + 500_000, orjson.dumps(event), event) for event in events]


def test_what_arrives_is_on_the_screen_without_a_reload(
    screens: Callable[..., Screen], world: World
) -> None:
    screen = screens(world.tokens.crowd)
    screen.open("overview", from_="now-30m", to="now", refresh="2s")
    screen.page.evaluate("window.stillTheSamePage = true")
    tile = screen.page.locator('main .tile[data-measure="requests"]').first
    tile.evaluate("t => { t.stillTheSameTile = true; }")
    world.receive(just_ended(ADDED))
    screen.wait_until(
        "n => document.querySelector('main .tile[data-measure=requests] .tile-value')"
        "?.innerText === n",
        str(ADDED),
    )
    assert screen.page.evaluate("window.stillTheSamePage")
    assert tile.evaluate("t => t.stillTheSameTile")
