"""`python -m tests.browser.screenshots`: each page, light and dark, into deploy/screenshots/.

The data is that of the browser tests, at a fixed instant of the past where pages allow it, so that
a picture changes when the console does. The fleet goes on while pictures are taken.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.browser.checking import day
from tests.browser.data_set import HOUR_US, OUTAGE_MODEL
from tests.browser.living_fleet import living_fleet
from tests.browser.screen import Screen, new_context

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.browser.living_fleet import LivingFleet
    from tests.browser.serving import World

FOLDER = Path(__file__).parents[2] / "deploy" / "screenshots"
WIDTH, HEIGHT = 1360, 850
TALL = {"alerts": 1620, "incident": 1120}
"""Heights of pages that tell their story further down."""
PAGE_OF = {"incident": "alerts"}
"""Pages of pictures that are not named as their page."""
PHONE_PAGES = ("overview", "oncall")
DAY = {"from_": "now-24h", "to": "now"}


def scenes(world: World) -> dict[str, dict[str, Any]]:
    """Return the parameters of each page's picture."""
    # Without the busy last hour, beside which every other one looks idle.
    start, end = (at - 2 * HOUR_US for at in day(world))
    whole: dict[str, Any] = {"from_": start, "to": end}
    begin = world.data_set.outage[0]
    return {
        "overview": whole,
        "analytics": whole,
        "models": {**whole, "granularity": "1h"},
        "logs": {"from_": begin, "to": begin + HOUR_US, "filter": f"model={OUTAGE_MODEL}"},
        "alerts": DAY,
        "incident": {**DAY, "incident": _outage_incident(world)},
        "cost": whole,
        "pipeline": DAY,
        "oncall": {},
    }


def _outage_incident(world: World) -> str:
    """Return the incident that has its whole story behind it."""
    rows = world.as_(world.tokens.operator).get("/incidents", **DAY)["rows"]
    (found,) = [row["incident_id"] for row in rows if row["labels"].get("model") == OUTAGE_MODEL]
    return str(found)


def take(browser: Browser, fleet: LivingFleet, folder: Path) -> Iterator[Path]:
    """Write every picture; yield each file."""
    world = fleet.world
    shown = scenes(world)
    for dark in (False, True):
        for name, parameters in shown.items():
            fleet.catch_up()
            yield _picture(browser, world, folder, name, parameters, dark=dark)
    for name in PHONE_PAGES:
        fleet.catch_up()
        parameters = {} if name == "oncall" else DAY
        yield _picture(browser, world, folder, name, parameters, phone=True)


def _picture(
    browser: Browser,
    world: World,
    folder: Path,
    name: str,
    parameters: dict[str, Any],
    *,
    dark: bool = False,
    phone: bool = False,
) -> Path:
    token = world.tokens.everything if name == "pipeline" else world.tokens.operator
    context = new_context(browser, world, token, dark=dark, phone=phone)
    page = context.new_page()
    if not phone:
        page.set_viewport_size({"width": WIDTH, "height": TALL.get(name, HEIGHT)})
    screen = Screen(page, world.url)
    screen.open(PAGE_OF.get(name, name), **parameters)
    page.wait_for_timeout(800)  # charts below the fold draw when the browser has time
    look = "phone" if phone else "dark" if dark else "light"
    file = folder / f"{name}-{look}.png"
    page.screenshot(path=file, animations="disabled", scale="css")
    context.close()
    return file


def main() -> int:
    """Take all pictures; return the exit code."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(
        prog="python -m tests.browser.screenshots",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m tests.browser.screenshots --out pictures",
    )
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="DIR")
    arguments = parser.parse_args()
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        print(
            "Chromium is not installed (Debian, Ubuntu: apt-get install chromium)", file=sys.stderr
        )
        return 1
    arguments.out.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="inferometer-pictures-") as folder,
        living_fleet(Path(folder)) as fleet,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for file in take(browser, fleet, arguments.out):
            print(f"{file} {file.stat().st_size / 1000:,.0f} kB")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
