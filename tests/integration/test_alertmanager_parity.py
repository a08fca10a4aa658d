"""The same requests to our interface and to a real Alertmanager: the same answers, but for words."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from inferometer.core.alerts.listing import ListedAlert
from inferometer.testing.silences import ListedAlerts, MemorySilenceStore
from inferometer.web.access import AccessPolicy
from inferometer.web.server import AlertsServer
from tests.services.alertmanager import running_alertmanager

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

CONFIG = (
    "route: {receiver: oncall, group_by: [workspace, service, slo]}\nreceivers: [{name: oncall}]\n"
)
LABELS = {
    "workspace": "acme", "service": "chat", "slo": "chat-success", "severity": "page",
    "alertname": "chat-success",
}  # fmt: skip
WITHIN_S = 60.0
UNKNOWN = "00000000-0000-4000-8000-000000000000"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
VARYING = {"id", "silenceID", "updatedAt", "startsAt", "endsAt", "fingerprint", "generatorURL"}
LATER = {"mutedBy"}
"""Fields that Alertmanager has since 0.28."""


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("alertmanager")
    with running_alertmanager(folder, CONFIG) as url:
        yield url


def at(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


def silence(**fields: object) -> dict[str, Any]:
    return {
        "matchers": [{"name": "slo", "value": "chat-success", "isRegex": False, "isEqual": True}],
        "startsAt": at(-1),
        "endsAt": at(2),
        "createdBy": "me",
        "comment": "known",
        **fields,
    }


Answer = tuple[int, Any]


class Conversation:
    """Asks one side; ids of its own silences are kept by name."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url
        self.ids: dict[str, str] = {}
        self.answers: list[Answer] = []

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        async with self._session.request(method, self._url + path, **options) as answer:
            body = await answer.text()
            is_json = answer.content_type == "application/json" and body
            found = answer.status, await answer.json() if is_json else body
        self.answers.append(found)
        return found

    async def add(self, name: str, **fields: Any) -> Answer:
        status, body = await self.ask("POST", "/api/v2/silences", json=silence(**fields))
        if status == 200:
            self.ids[name] = body["silenceID"]
        return status, body

    async def states(self) -> dict[str, str]:
        """Return the state of each silence of this conversation by its comment."""
        status, found = await self.ask("GET", "/api/v2/silences")
        # A server that other tests talked to remembers theirs.
        own = [each for each in found if each["id"] in self.ids.values()]
        # Ours ends them by the second, so those that end within one may stand in another order.
        own.sort(key=lambda each: str(each["comment"]))
        self.answers[-1] = status, own
        return {each["comment"]: each["status"]["state"] for each in own}


def shape(value: Any) -> Any:
    """Return an answer without what differs from moment to moment."""
    if isinstance(value, dict):
        return {
            name: "VARIES" if name in VARYING else shape(inner)
            for name, inner in value.items()
            if name not in LATER
        }
    if isinstance(value, list | tuple):
        return [shape(inner) for inner in value]
    return UUID.sub("ID", value) if isinstance(value, str) else value


def both(theirs: str, talk: Any) -> tuple[Conversation, Conversation]:
    """Hold the same conversation with both."""

    async def run() -> tuple[Conversation, Conversation]:
        now_us = int(datetime.now(UTC).timestamp()) * 1_000_000
        listed = ListedAlert(
            fingerprint="1",
            labels=LABELS,
            receivers=("oncall",),
            starts_at_us=now_us,
            updated_at_us=now_us,
            ends_at_us=now_us + 300_000_000,
        )
        server = AlertsServer(
            host="127.0.0.1",
            port=0,
            access=AccessPolicy(),
            store=MemorySilenceStore(),
            view=ListedAlerts([listed], ["oncall"]),
            clock=lambda: datetime.now(UTC),
            version="1",
        )
        async with server, aiohttp.ClientSession() as session:
            ours, other = Conversation(session, server.url), Conversation(session, theirs)
            for side in (ours, other):
                await talk(side)
                for silence_id in side.ids.values():
                    await side.ask("DELETE", f"/api/v2/silence/{silence_id}")
        return ours, other

    return asyncio.run(run())


def test_silences_are_made_changed_and_ended_alike(theirs: str) -> None:
    states: list[dict[str, str]] = []

    async def talk(side: Conversation) -> None:
        await side.add("a", comment="life of a silence")
        await side.ask("GET", f"/api/v2/silence/{side.ids['a']}")
        await side.add("pending", startsAt=at(1), comment="pending")
        _, shown = await side.ask("GET", f"/api/v2/silence/{side.ids['a']}")
        # The same with another end keeps its id; other matchers make another.
        same = {"id": side.ids["a"], "startsAt": shown["startsAt"], "endsAt": at(5)}
        await side.add("a", comment="longer", **same)
        other = [{"name": "slo", "value": "x.*", "isRegex": True, "isEqual": False}]
        guard = {"name": "service", "value": "chat", "isRegex": False, "isEqual": True}
        await side.add("b", id=side.ids["a"], matchers=[*other, guard], comment="replaced")
        states.append(await side.states())
        await side.ask("DELETE", f"/api/v2/silence/{side.ids['pending']}")
        states.append(await side.states())

    ours, other = both(theirs, talk)
    assert len(set(ours.ids.values())) == len(set(other.ids.values())) == 3
    assert shape(ours.answers) == shape(other.answers)
    assert states[:2] == states[2:]


@pytest.mark.parametrize(
    "fields",
    [
        {"matchers": []},
        {"matchers": [{"name": "a", "value": "", "isRegex": False}]},
        {"matchers": [{"name": "a", "value": ".*", "isRegex": True}]},
        {"matchers": [{"name": "a", "value": "(", "isRegex": True}]},
        {"matchers": [{"name": "", "value": "x", "isRegex": False}]},
        {"matchers": [{"name": "a", "value": "(?=x)", "isRegex": True}]},
        {"endsAt": "yesterday"},
        {"endsAt": "2001-01-01T00:00:00Z"},
        {"startsAt": "2001-01-02T00:00:00Z", "endsAt": "2001-01-01T00:00:00Z"},
    ],
)
def test_what_alertmanager_refuses_is_refused(theirs: str, fields: dict[str, Any]) -> None:
    async def talk(side: Conversation) -> None:
        await side.add("x", **fields)

    ours, other = both(theirs, talk)
    assert other.answers[0][0] in {400, 422}
    assert ours.answers[0][0] == 400


def test_an_unknown_silence_is_not_found(theirs: str) -> None:
    async def talk(side: Conversation) -> None:
        await side.ask("GET", f"/api/v2/silence/{UNKNOWN}")
        await side.add("x", id=UNKNOWN)

    ours, other = both(theirs, talk)
    assert [status for status, _ in ours.answers] == [status for status, _ in other.answers]


@pytest.mark.parametrize(
    "text",
    [
        'slo="chat-success"', "slo=chat-success", 'slo=~"chat.*"', 'slo!="x"', 'slo!="chat-success"',
        'slo!~"chat.*"', 'missing=""', 'missing!=""', 'slo=""', "slo", 'slo=~"("',
    ],
)  # fmt: skip
def test_a_filter_selects_alike(theirs: str, text: str) -> None:
    async def talk(side: Conversation) -> None:
        await side.add("a", comment="filtered")
        status, found = await side.ask("GET", "/api/v2/silences", params={"filter": text})
        side.answers.clear()
        known = set(side.ids.values())
        ids = {each["id"] for each in found} & known if status == 200 else set()
        side.answers.append((status, len(ids)))

    ours, other = both(theirs, talk)
    assert ours.answers[0] == other.answers[0]


def test_alerts_and_groups_have_the_same_fields(theirs: str) -> None:
    async def talk(side: Conversation) -> None:
        # Ours has it already; theirs hears of it here.
        await side.ask("POST", "/api/v2/alerts", json=[{"labels": LABELS}])
        # Alertmanager groups what it took a little later.
        async with asyncio.timeout(WITHIN_S):
            while not (await side.ask("GET", "/api/v2/alerts/groups"))[1]:  # noqa: ASYNC110 - of theirs
                await asyncio.sleep(0.05)
        side.answers.clear()
        await side.add("a")
        for path in ("/api/v2/alerts", "/api/v2/alerts/groups", "/api/v2/receivers"):
            for query in ({}, {"silenced": "false"}, {"filter": 'slo="x"'}, {"receiver": "on.*"}):
                await side.ask("GET", path, params=query)

    ours, other = both(theirs, talk)
    assert shape(ours.answers) == shape(other.answers)


def test_the_status_has_the_same_fields(theirs: str) -> None:
    async def talk(side: Conversation) -> None:
        await side.ask("GET", "/api/v2/status")

    ours, other = both(theirs, talk)
    (_, mine), (_, known) = ours.answers[0], other.answers[0]
    assert mine["cluster"] == known["cluster"]
    assert set(mine) == set(known)
    assert set(mine["versionInfo"]) == set(known["versionInfo"])
    assert set(mine["config"]) == set(known["config"])
