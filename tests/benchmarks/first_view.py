"""How long a page of the console takes to show its numbers to a browser that was never here.

The server is `inferometer demo` as anybody starts it: broker, worker, alerts and store are in the
same process and on the same cores as the browser. A view is a context of its own, so nothing is
cached. It counts from the start of the navigation until all that is in the window has its answer:
tiles their numbers, tables their rows, charts their canvas, and no placeholder is left; then two
frames more, after which it has been painted. What lies below the window may still be on its way.
"""

from __future__ import annotations

import re
import shutil
import statistics
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inferometer.kafka.local_broker import free_port
from tests.benchmarks.parts import Table
from tests.browser.serving import Process

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from playwright.sync_api import Browser

PAGES = ("overview", "analytics", "models", "logs", "alerts", "cost", "pipeline", "oncall")
BY_LINK = "overview, by the link of the demo"
VIEWS, QUICK_VIEWS = 5, 2
LIMIT_MS = 1000
MOST_MS = 30_000
DATA_S, QUICK_DATA_S = 60.0, 20.0
"""So long the demo fills its store before anybody looks."""
SIZE: Any = {"width": 1280, "height": 800}
LINK = re.compile(r"#token=(\S+)")
RANGE = "from=now-5m"
"""As the demo's link has it."""
PAUSE_S = 3.0
"""Between views: no answer of the one before may be kept for the next."""

SHOWN = "data-first-view-ms"
WATCH = """
(() => {
  const isInWindow = (one) => {
    const { top, bottom, width } = one.getBoundingClientRect();
    return width > 0 && bottom > 0 && top < innerHeight;
  };
  const isDrawn = (chart) =>
    chart.dataset.state === "empty" ||
    (chart.dataset.state === "ready" && chart.querySelector("canvas") !== null);
  const isShown = () => {
    const main = document.querySelector("main[data-page]");
    if (!main || !main.querySelector(".tile, tbody tr, .night-banner, .empty")) return false;
    const seen = (selector) => [...main.querySelectorAll(selector)].filter(isInWindow);
    return seen(".skeleton").length === 0 && !main.querySelector(".night-banner:empty") &&
      seen(".tile").every((tile) => "value" in tile.dataset) &&
      seen("figure.chart").every(isDrawn);
  };
  const look = () => {
    if (!isShown()) {
      requestAnimationFrame(look);
      return;
    }
    requestAnimationFrame(() => requestAnimationFrame(() => {
      document.documentElement.dataset.firstViewMs = String(performance.now());
    }));
  };
  requestAnimationFrame(look);
})();
"""
WEIGHT = """
() => {
  const all = [
    ...performance.getEntriesByType("navigation"),
    ...performance.getEntriesByType("resource"),
  ];
  return [all.length, all.reduce((sum, one) => sum + one.transferSize, 0)];
}
"""


@dataclass(frozen=True, slots=True)
class View:
    """One page opened once."""

    shown_ms: float
    requests: int
    transferred_bytes: int


def see(browser: Browser, url: str, path: str, session: Any = None) -> tuple[View, Any]:
    """Open a page in a context of its own; return what it took, and the session that it left."""
    with closing(
        browser.new_context(base_url=url, viewport=SIZE, storage_state=session)
    ) as context:
        context.add_init_script(WATCH)
        page = context.new_page()
        page.goto(path)
        # An attribute: the policy of the page lets nobody evaluate texts, so not a test either.
        page.wait_for_selector(f"html[{SHOWN}]", timeout=MOST_MS)
        shown_ms = float(page.locator("html").get_attribute(SHOWN) or "nan")
        view = View(shown_ms, *page.evaluate(WEIGHT))
        return view, context.storage_state()


def look_around(url: str, token: str, views: int) -> dict[str, list[View]]:
    """Return the views of every page, taken by turns."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise RuntimeError("Chromium is not installed (Debian, Ubuntu: apt-get install chromium)")
    found: dict[str, list[View]] = {BY_LINK: [], **{name: [] for name in PAGES}}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for _ in range(views):
            view, session = see(browser, url, f"/overview?{RANGE}#token={token}")
            found[BY_LINK].append(view)
            for name in PAGES:
                time.sleep(PAUSE_S)
                view, _ = see(browser, url, f"/{name}?{RANGE}", session)
                found[name].append(view)
        browser.close()
    return found


def first_views(folder: Path, *, is_quick: bool) -> Table:
    """Return the table: a demo is started in a folder, looked at and ended."""
    url = f"http://127.0.0.1:{free_port()}"
    port = url.rpartition(":")[2]
    demo = Process(
        ["demo", "--data", str(folder / "demo"), "--for", "30m", "--port", port],
        f"{url}/healthz",
        folder / "demo.log",
        {},
    )
    try:
        demo.start()
        time.sleep(QUICK_DATA_S if is_quick else DATA_S)
        found = LINK.search(demo.said())
        if found is None:
            raise RuntimeError(f"the demo printed no link that signs in: {demo.said()}")
        return table_of(look_around(url, found[1], QUICK_VIEWS if is_quick else VIEWS))
    finally:
        demo.stop()


def table_of(views: Mapping[str, Sequence[View]]) -> Table:
    """Return the views as a table, a page a row."""
    facts: dict[str, object] = {
        name: {
            "median_ms": statistics.median(view.shown_ms for view in seen),
            "worst_ms": max(view.shown_ms for view in seen),
            "most_bytes": max(view.transferred_bytes for view in seen),
        }
        for name, seen in views.items()
    }
    return Table(
        "first view of a page of the demo, from navigation to numbers on the screen: ms",
        ("page", "views", "median", "worst", "requests", "kB", f"median < {LIMIT_MS:,}"),
        [_row(name, seen) for name, seen in views.items()],
        notes=[
            "Each view is a browser context without a cache; the demo's own worker, alerts and "
            "store run on the same cores.",
        ],
        facts=facts,
    )


def _row(name: str, seen: Sequence[View]) -> list[str]:
    median_ms = statistics.median(view.shown_ms for view in seen)
    return [
        name,
        str(len(seen)),
        f"{median_ms:,.0f}",
        f"{max(view.shown_ms for view in seen):,.0f}",
        str(max(view.requests for view in seen)),
        f"{max(view.transferred_bytes for view in seen) / 1000:,.0f}",
        "reached" if median_ms < LIMIT_MS else "not reached",
    ]
