"""A page of the console as a person has it before them: what it shows, read off the screen."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.browser.asking import instant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import (
        Browser,
        BrowserContext,
        ConsoleMessage,
        FloatRect,
        Locator,
        Page,
        Request,
        ViewportSize,
    )

    from tests.browser.serving import World

DESK: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
TIMEOUT_MS = 180_000
"""Long, since a wait ends as soon as what it waits for is there."""
STEADY_LOOKS = 4
"""So often, a tenth of a second apart, an element must stand at the same place."""
QUIET_LOOKS = 3
"""So often, a tenth of a second apart, nothing may be asked for: one answer may lead to a question."""
SETTLED = 'main[data-state="ready"], main[data-state="empty"], main[data-state="error"]'


def new_context(
    browser: Browser,
    world: World,
    token: str,
    *,
    dark: bool = False,
    phone: bool = False,
    zone: str = "UTC",
) -> BrowserContext:
    """Return a window of its own, signed in as the console does it."""
    context = browser.new_context(
        base_url=world.url,
        viewport=PHONE if phone else DESK,
        color_scheme="dark" if dark else "light",
        has_touch=phone,
        is_mobile=phone,
        timezone_id=zone,
        locale="en-GB",
        reduced_motion="reduce",
        accept_downloads=True,
    )
    context.set_default_timeout(TIMEOUT_MS)
    if token:
        answer = context.request.post(
            f"{world.url}/api/v1/session",
            data={"token": token},
            headers={"X-Inferometer": "console", "Origin": world.url},
        )
        assert answer.ok, answer.text()
    return context


@dataclass
class Screen:
    """One tab. `complaints` is everything that the browser's console would show in red."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    _asked: set[Request] = field(default_factory=set)
    """What the page waits for an answer to, as far as Playwright has heard."""

    def __post_init__(self) -> None:
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("request", self._begun)
        self.page.on("requestfinished", self._ended)
        self.page.on("requestfailed", self._ended)

    def _begun(self, request: Request) -> None:
        # The live view's stream has no end, and is none of these.
        if request.resource_type in {"fetch", "xhr"}:
            self._asked.add(request)

    def _ended(self, request: Request) -> None:
        self._asked.discard(request)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text} {message.location}")

    @contextlib.contextmanager
    def expecting_complaints(self) -> Iterator[None]:
        """Let the browser complain inside the block: of answers that the test makes fail."""
        before = list(self.complaints)
        yield
        # One that fails is shown at once; of those beside it the browser complains later.
        self.quiet()
        self.complaints[:] = before

    # Going somewhere

    def open(self, name: str, **parameters: Any) -> None:
        """Go to a page; `from_` and `to` may be microseconds since 1970."""
        query = {
            key.rstrip("_"): instant(value) if key in {"from_", "to"} else value
            for key, value in parameters.items()
        }
        self.page.goto(f"/{name}?{urlencode(query, doseq=True)}")
        self.settle()

    def settle(self) -> None:
        """Wait until a page that was opened has been drawn."""
        self.page.wait_for_selector(SETTLED)

    def quiet(self) -> None:
        """Wait until the page asks for nothing more: it has what it asked for before this call."""
        looks: list[bool] = []

        def is_quiet() -> bool:
            # Playwright hears of requests and answers only while it is asked for something.
            self.page.wait_for_timeout(100)
            looks.append(not self._asked)
            return all(looks[-QUIET_LOOKS:]) and len(looks) >= QUIET_LOOKS

        until(is_quiet)

    def wait_until(self, expression: str, argument: Any = None) -> None:
        """Wait until an expression of JavaScript is true.

        Playwright's own way looks again by evaluating a text inside of the page, whose policy
        forbids that: it fails wherever the first look comes too early.
        """
        until(lambda: self.page.evaluate(expression, argument))

    def steady_box(self, place: Locator) -> FloatRect:
        """Return where an element stands, once it stays there: what is above it may still come."""
        # The live view has a stream of its own, which no page waits for.
        self.wait_until("!document.querySelector('main figure.chart[data-state=loading]')")
        boxes: list[FloatRect | None] = []

        def is_steady() -> bool:
            boxes.append(place.bounding_box())
            latest = boxes[-STEADY_LOOKS:]
            return len(latest) == STEADY_LOOKS and all(box == latest[0] for box in latest)

        until(is_steady)
        assert boxes[-1] is not None
        return boxes[-1]

    @property
    def address(self) -> str:
        """Return what the address bar shows now.

        `page.url` is what it showed when Playwright last heard of a change, which it does only
        while it is asked for something: who sleeps between looks waits for ever.
        """
        return str(self.page.evaluate("location.href"))

    @property
    def state(self) -> dict[str, list[str]]:
        """Return the query string: all that the page is about."""
        return parse_qs(urlsplit(self.address).query, keep_blank_values=True)

    @property
    def path(self) -> str:
        """Return the path of the address."""
        return urlsplit(self.address).path

    # What it shows

    def text(self) -> str:
        """Return all that can be read on the page."""
        return self.page.locator("main").inner_text()

    def tile(self, label: str) -> Locator:
        """Return a tile by its label."""
        return self.page.locator("[data-measure]", has_text=label).first

    def tiles(self) -> dict[str, float | None]:
        """Return the number of every tile, unrounded, by its measure."""
        found: dict[str, float | None] = {}
        for tile in self.page.locator("main [data-measure][data-value]").all():
            value = tile.get_attribute("data-value")
            found[tile.get_attribute("data-measure") or ""] = float(value) if value else None
        return found

    def charts(self) -> list[str]:
        """Return the titles of all charts."""
        return [
            chart.get_attribute("aria-label") or ""
            for chart in self.page.locator("figure.chart").all()
        ]

    def chart(self, title: str) -> Locator:
        """Return a chart by its title."""
        return self.page.locator(f'figure.chart[aria-label*="{title}"]').first

    def chart_data(self, title: str) -> dict[str, Any]:
        """Return what a chart draws: windows, and series with their values."""
        chart = self.chart(title)
        chart.scroll_into_view_if_needed()
        self.wait_until(
            "title => { const f = [...document.querySelectorAll('figure.chart')].find("
            "f => f.getAttribute('aria-label')?.includes(title));"
            " return f && f.chartData && f.dataset.state !== 'loading'; }",
            title,
        )
        data: dict[str, Any] = chart.evaluate(
            "f => JSON.parse(JSON.stringify({windows: f.chartData.windows, "
            "series: f.chartData.series.map(s => ({label: s.label, key: s.key, "
            "values: s.values, isOther: !!s.isOther, isDashed: !!s.isDashed}))}))"
        )
        return data

    def table(self, caption: str) -> Locator:
        """Return a table by a part of its caption."""
        return self.page.locator("table", has=self.page.locator("caption", has_text=caption)).first

    def rows(self, caption: str) -> list[dict[str, str]]:
        """Return the body of a table as it is read: text by the key of its column.

        What changed since before stands beside a number, and is left out.
        """
        found: list[dict[str, str]] = self.table(caption).evaluate(
            "t => { const keys = [...t.tHead.rows[0].cells].map(c => c.dataset.key ?? c.innerText);"
            " return [...t.tBodies[0].rows].map(r => Object.fromEntries("
            "[...r.cells].map((c, i) => { let text = c.innerText;"
            " c.querySelectorAll('.change').forEach(x => text = text.replace(x.innerText, ''));"
            " return [keys[i], text.trim()]; }))); }"
        )
        return found

    def facts(self, caption: str) -> list[dict[str, Any]]:
        """Return what the rows of a table are made of."""
        found: list[dict[str, Any]] = self.table(caption).evaluate(
            "t => JSON.parse(JSON.stringify([...t.tBodies[0].rows].map(r => r.row)))"
        )
        return found

    def headings(self, caption: str) -> list[str]:
        """Return the column headings of a table."""
        return [
            cell.inner_text().split("\n")[0].strip("↑↓ ")
            for cell in self.table(caption).locator("thead th").all()
        ]

    # Doing something

    def download(self, click: Locator) -> bytes:
        """Return the file that a click downloads."""
        with self.page.expect_download() as download:
            click.click()
        path = download.value.path()
        return path.read_bytes()

    def violations(self) -> list[str]:
        """Return what an automated checker says against WCAG 2 A and AA, in short."""
        from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]

        rules = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}
        answer = Axe().run(self.page, options=rules).response
        return [
            f"{violation['id']}: {node['html'][:160]} | {node['failureSummary'][:300]}"
            for violation in answer["violations"]
            for node in violation["nodes"]
        ]

    def overflow_px(self) -> int:
        """Return by how much the page is wider than its window."""
        wide: int = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return wide


def until(condition: Any, timeout_s: float = TIMEOUT_MS / 1000) -> None:
    """Wait until a condition of the test's own holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "still not so"
        time.sleep(0.1)
