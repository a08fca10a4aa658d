"""Fifty people who each refresh a dashboard every ten seconds, on the machine's own two cores.

Afterwards each page is opened by somebody who was never here (`first_view.py`).

What a refresh asks is not made up here: each page is opened once in a browser, and what it asked is
what everybody then asks again, on time, whether or not the server keeps up (an open loop): a late
answer is late for everybody behind it too. Half of the people look at everything, half at one model
of their own, a third of them at a week instead of a day, so that one answer does not serve all.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import statistics
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.migrations import migrate
from inferometer.clickhouse.settings import StoreSettings
from inferometer.kafka.local_broker import free_port
from tests.benchmarks.alone import run_alone
from tests.benchmarks.first_view import first_views
from tests.benchmarks.parts import Part, Table
from tests.benchmarks.queries import fill_rollups
from tests.browser.serving import Process, make_token

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from playwright.sync_api import Request

    from tests.benchmarks.parts import Surroundings

PEOPLE = 50
EVERY_S = 10.0
TARGET_S = 1.0
WARM_UP_S, RUN_S, QUICK_S = 10.0, 120.0, 30.0
PAGES = ("overview", "analytics", "models")
CONNECTIONS = 6
"""What a browser opens to one server at a time."""
ONCE = ("me", "session", "measures", "dimensions", "live", "metadata-keys")
"""Asked when a page is opened, not when it is refreshed."""
FILTERED = ("metrics", "models", "changes")
"""Questions that take filters."""
API = "/api/v1/"
FAILED = float("inf")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a token, a page, and a view of their own."""

    token: str = field(repr=False)
    paths: tuple[str, ...]
    starts_s: float


@dataclass(slots=True)
class Seen:
    """Seconds of every answer and of every refresh, and what was no answer."""

    answers_s: list[float] = field(default_factory=list)
    refreshes_s: list[float] = field(default_factory=list)
    slowest: dict[str, float] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)


def seen_from(path: str, *, model: str = "", days: int = 0) -> str:
    """Return a question as somebody asks it who looks at one model, or at other days."""
    parts = urlsplit(path)
    query = parameters_of(parts.query)
    if model and parts.path.removeprefix(API) in FILTERED:
        query.append(("filter", f"model={model}"))
    if days:
        query = [(name, f"now-{days}d" if name == "from" else value) for name, value in query]
    return f"{parts.path}?{urlencode(query)}"


def parameters_of(query: str) -> list[tuple[str, str]]:
    """Return the parameters of a query string, in order, repeated ones too."""
    return parse_qsl(query, keep_blank_values=True)


def make_people(
    pages: Sequence[tuple[str, ...]], tokens: Sequence[str], models: Sequence[str]
) -> list[Person]:
    """Return who asks what, from when on."""
    chance = random.Random(3)
    people = []
    for number, token in enumerate(tokens):
        model = models[number % len(models)] if number % 2 else ""
        days = 7 if number % 3 == 2 else 0
        paths = tuple(
            seen_from(path, model=model, days=days) for path in pages[number % len(pages)]
        )
        people.append(Person(token, paths, chance.uniform(0, EVERY_S)))
    return people


async def refresh(person: Person, session: aiohttp.ClientSession, url: str, seen: Seen) -> None:
    """Ask all that a page asks, as many questions at a time as a browser does."""
    begun = time.perf_counter()
    answers = await asyncio.gather(
        *(ask(person, path, session, url, seen) for path in person.paths)
    )
    seen.answers_s += answers
    seen.refreshes_s.append(FAILED if FAILED in answers else time.perf_counter() - begun)


async def ask(
    person: Person, path: str, session: aiohttp.ClientSession, url: str, seen: Seen
) -> float:
    """Return the seconds until an answer was read in full, from when it was wanted."""
    begun = time.perf_counter()
    headers = {"Authorization": f"Bearer {person.token}"}
    try:
        async with session.get(f"{url}{path}", headers=headers) as answer:
            await answer.read()
            status = answer.status
    except (aiohttp.ClientError, TimeoutError) as error:
        status = 0
        seen.failures[type(error).__name__] = seen.failures.get(type(error).__name__, 0) + 1
    taken = time.perf_counter() - begun
    if status != 200:
        seen.failures[str(status)] = seen.failures.get(str(status), 0) + 1
        return FAILED
    place = urlsplit(path).path
    seen.slowest[place] = max(seen.slowest.get(place, 0.0), taken)
    return taken


async def live(person: Person, url: str, until_s: float, seen: Seen) -> None:
    """Refresh on time until the end; a refresh that is due does not wait for the one before."""
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    timeout = aiohttp.ClientTimeout(total=30)
    running: set[asyncio.Task[None]] = set()
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        due = time.perf_counter() + person.starts_s
        while due < until_s:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            task = asyncio.create_task(refresh(person, session, url, seen))
            running.add(task)
            task.add_done_callback(running.discard)
            due += EVERY_S
        await asyncio.gather(*running)


async def everybody(people: Sequence[Person], url: str, run_s: float) -> Seen:
    """Return what everybody saw, the warm-up apart."""
    await asyncio.gather(
        *(live(one, url, time.perf_counter() + WARM_UP_S, Seen()) for one in people)
    )
    seen = Seen()
    until_s = time.perf_counter() + run_s
    await asyncio.gather(*(live(one, url, until_s, seen) for one in people))
    return seen


def recorded(url: str, token: str) -> list[tuple[str, ...]]:
    """Return what each page asks when it is refreshed, heard in a browser."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise RuntimeError("Chromium is not installed (Debian, Ubuntu: apt-get install chromium)")
    found = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(base_url=url)
        page.goto(f"/#token={token}")
        for name in PAGES:
            asked: list[str] = []

            def listener(request: Request, heard: list[str] = asked) -> None:
                heard.append(request.url)

            page.on("request", listener)
            page.goto(f"/{name}?from=now-24h&to=now&refresh=off")
            page.wait_for_selector('main[data-state="ready"]')
            page.wait_for_timeout(1000)
            page.remove_listener("request", listener)
            found.append(refreshed(asked, url))
        browser.close()
    return found


def refreshed(asked: Sequence[str], url: str) -> tuple[str, ...]:
    """Return the questions of a refresh among all that a page asked a server."""
    paths = [one.removeprefix(url) for one in asked]
    return tuple(
        path
        for path in paths
        if path.startswith(API) and urlsplit(path).path.removeprefix(API) not in ONCE
    )


def fill(folder: Path, *, is_quick: bool) -> list[str]:
    """Fill a store with a week of roll-ups; return the models in it."""
    with StoreConnection(StoreSettings(data_dir=folder)) as connection:
        migrate(connection, report=lambda _: None)
        fill_rollups(connection, datetime.now(UTC), is_quick=is_quick)
        rows = connection.reader().query(
            "SELECT toString(model) FROM service_1h_rows GROUP BY model "
            "ORDER BY sum(requests) DESC LIMIT 20"
        )
        return [model for (model,) in rows.result_rows]


def measure(folder: Path, *, is_quick: bool) -> tuple[Seen, list[tuple[str, ...]]]:
    """Return what everybody saw, and what each page asked."""
    models = fill(folder / "data", is_quick=is_quick)
    tokens = [make_token(folder / "tokens.json", f"person-{n}", "viewer") for n in range(PEOPLE)]
    url = f"http://127.0.0.1:{free_port()}"
    serve = Process(
        ["serve", "--data", str(folder / "data"), "--port", url.rpartition(":")[2]],
        f"{url}/healthz",
        folder / "serve.log",
        {"INFEROMETER_WEB_TOKENS_FILE": str(folder / "tokens.json")},
    )
    try:
        serve.start()
        pages = recorded(url, tokens[0])
        people = make_people(pages, tokens, models)
        run_s = QUICK_S if is_quick else RUN_S
        return asyncio.run(everybody(people, url, run_s)), pages
    finally:
        serve.stop()


def quantile(values: Sequence[float], q: float) -> float:
    """Return a quantile by nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def _row(title: str, values: Sequence[float]) -> list[str]:
    p99 = quantile(values, 0.99)
    return [
        title,
        f"{len(values):,}",
        *(f"{1000 * quantile(values, q):,.0f}" for q in (0.5, 0.9, 0.99)),
        f"{1000 * max(values):,.0f}",
        "reached" if p99 < TARGET_S else "not reached",
    ]


def _run(surroundings: Surroundings) -> list[Table]:
    seen, pages = measure(surroundings.folder, is_quick=surroundings.is_quick)
    facts = {
        "answer_p99_s": quantile(seen.answers_s, 0.99),
        "refresh_p99_s": quantile(seen.refreshes_s, 0.99),
        "answers": len(seen.answers_s),
        "failures": seen.failures,
        "slowest_s": seen.slowest,
    }
    asked = ", ".join(f"{name} {len(paths)}" for name, paths in zip(PAGES, pages, strict=True))
    slowest = max(seen.slowest, key=lambda path: seen.slowest[path], default="")
    notes = [
        f"Questions of a refresh, as the pages ask them: {asked}; "
        f"{statistics.fmean(map(len, pages)) * PEOPLE / EVERY_S:,.0f} questions a second.",
        f"The slowest answer was of {slowest}; failed: {seen.failures or 'none'}.",
        "Clients run on the same cores; an answer that fails counts as endless.",
    ]
    rows = [_row("one answer", seen.answers_s), _row("a whole refresh", seen.refreshes_s)]
    headers = ("of", "count", "p50", "p90", "p99", "most", f"p99 < {TARGET_S * 1000:,.0f}")
    title = f"{PEOPLE} people, a refresh every {EVERY_S:.0f} s: ms"
    first = first_views(surroundings.folder, is_quick=surroundings.is_quick)
    return [Table(title, headers, rows, notes=notes, facts=facts), first]


PART = Part(what="dashboards of fifty people", run=_run, needs_kafka=False)

if __name__ == "__main__":
    sys.exit(run_alone("dashboard", PART, __doc__ or ""))
