"""The query API on a port of its own: events by second, files that clients leave, an end in time."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import httpx
import orjson

from inferometer.errors import StoreError
from inferometer.jobs.answer_alerts import AnswerAlerts
from inferometer.testing.incidents import MemoryIncidentRecords
from inferometer.testing.query_store import MemoryQueryStore
from inferometer.web.api.app import create_app
from inferometer.web.listener import HttpListener
from tests.integration.running_time import RunningTime
from tests.unit.web.api.asking import Door, MemoryTokenDesk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inferometer.query_ports import QueryStore

WAIT_S = 60
END_S = 20
SNAPSHOT_S = 300
HEADERS = {"Authorization": "Bearer chief"}


def now() -> datetime:
    return datetime.now(UTC)


class LiveStore(MemoryQueryStore):
    """Has a request of every second, can go away, and exports without an end."""

    def __init__(self) -> None:
        super().__init__(watermark=now())
        self.is_away = False
        self.snapshots = 0
        """How often all seconds were asked for, which only a view that begins does."""
        self.is_left = threading.Event()

    def seconds(self, workspace_id: str | None, since: datetime, until: datetime) -> Any:
        if self.is_away:
            raise StoreError("no answer from the store; is it running?", retryable=True)
        count = int((until - since).total_seconds())
        self.snapshots += count >= SNAPSHOT_S
        return [
            {
                "at": since + timedelta(seconds=place),
                "model": "m",
                "requests": 1,
                "failures": 0,
                "output_tokens": 5,
                "cost_usd": 0.25,
            }
            for place in range(count)
        ]

    def export_log(self, query: Any, form: str) -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 65_536
        finally:
            self.is_left.set()


@contextmanager
def serving() -> Iterator[tuple[LiveStore, httpx.Client]]:
    store, door = LiveStore(), Door()
    app = create_app(
        store=cast("QueryStore", store),
        alerts=AnswerAlerts(records=MemoryIncidentRecords(), clock=now),
        identify=door,
        sessions=door,
        tokens=MemoryTokenDesk(),
        clock=now,
    )
    with (
        HttpListener(app, host="127.0.0.1", port=0) as listener,
        httpx.Client(base_url=f"{listener.url}/api/v1", headers=HEADERS, timeout=WAIT_S) as client,
    ):
        yield store, client


def events(response: httpx.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the events of a stream."""
    said: dict[str, str] = {}
    for line in response.iter_lines():
        if line:
            name, _, value = line.partition(": ")
            said[name] = value
        elif "event" in said:
            assert said["id"].isdigit()
            yield said["event"], orjson.loads(said["data"])
            said = {}


def test_seconds_arrive_and_an_outage_is_told_and_passes() -> None:
    with serving() as (store, client), client.stream("GET", "/live") as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        found = events(response)
        name, data = next(found)
        assert (name, sum(data["requests"]["m"])) == ("snapshot", 300)
        name, data = next(found)
        assert (name, sum(data["cost_usd"]["m"])) == ("seconds", 7.5)
        store.is_away = True
        assert next(name for name, _ in found if name != "seconds") == "problem"
        store.is_away = False
        assert next(name for name, _ in found if name != "problem") == "snapshot"


def test_a_stream_that_its_client_left_is_polled_for_no_more() -> None:
    with serving() as (store, client):

        def is_begun_anew() -> bool:
            """Watch once; tell whether nobody had kept what the store said before."""
            known = store.snapshots
            with client.stream("GET", "/live") as response:
                assert next(events(response))[0] == "snapshot"
            return store.snapshots > known

        assert is_begun_anew()
        # The server hears a little later that its client has left.
        deadline = time.monotonic() + WAIT_S
        while not is_begun_anew():
            assert time.monotonic() < deadline, "it is still polled for"
            time.sleep(0.2)


def test_a_file_that_its_client_leaves_is_read_no_further() -> None:
    with serving() as (store, client):
        with client.stream("GET", "/requests?format=csv") as response:
            assert response.status_code == 200
            assert next(response.iter_bytes())
        assert store.is_left.wait(WAIT_S)


def test_the_end_does_not_wait_for_who_watches() -> None:
    with ExitStack() as served:
        _, client = served.enter_context(serving())
        with httpx.Client(base_url=client.base_url, headers=HEADERS, timeout=WAIT_S) as watcher:
            response = watcher.send(watcher.build_request("GET", "/live"), stream=True)
            next(events(response))
            with RunningTime() as took:
                served.close()
    assert took.seconds < END_S
