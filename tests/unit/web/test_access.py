"""Who may read and write, and what else the interface shows."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime

import pytest

from inferometer.errors import ConfigError
from inferometer.testing.silences import ListedAlerts, MemorySilenceStore
from inferometer.web.access import AccessPolicy
from inferometer.web.server import AlertsServer
from tests.unit.web.serving import ALERT, AUTHORIZED, NOW_S, TOKEN, Bench, serving
from tests.unit.web.test_silences_api import silence


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        {"Authorization": "Bearer tökén"},
    ],
)
def test_who_has_no_token_may_read_and_not_write(headers: dict[str, str]) -> None:
    async def use(bench: Bench) -> None:
        for method, path in (
            ("POST", "/api/v2/silences"),
            ("DELETE", "/api/v2/silence/x"),
            ("POST", "/maintenance"),
            ("DELETE", "/maintenance/x"),
        ):
            status, said = await bench.ask(method, path, json=silence(), headers=headers)
            assert status == 401
            assert TOKEN not in said
        assert (await bench.ask("GET", "/api/v2/silences", headers=headers))[0] == 200
        assert bench.store.stored == []

    serving(use)


def test_reading_may_need_the_token_too() -> None:
    async def use(bench: Bench) -> None:
        assert (await bench.ask("GET", "/api/v2/silences"))[0] == 401
        assert (await bench.ask("GET", "/api/v2/silences", headers=AUTHORIZED))[0] == 200

    serving(use, reads_need_token=True)


def test_a_token_that_takes_the_place_of_another_counts_beside_it() -> None:
    async def use(bench: Bench) -> None:
        for token in (TOKEN, "another-token-of-tests"):
            headers = {"Authorization": f"bearer {token}"}
            status, _ = await bench.ask("POST", "/api/v2/silences", json=silence(), headers=headers)
            assert status == 200

    serving(use, tokens=(TOKEN, "another-token-of-tests"))


def test_pages_of_other_sites_are_refused() -> None:
    async def use(bench: Bench) -> None:
        for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}):
            status, _ = await bench.ask("POST", "/api/v2/silences", json=silence(), headers=headers)
            assert status == 403
        headers = {"Host": "evil.example", "Origin": "http://evil.example"}
        assert (await bench.ask("GET", "/api/v2/silences", headers=headers))[0] == 403
        own = {"Origin": bench.url}
        assert (await bench.ask("POST", "/api/v2/silences", json=silence(), headers=own))[0] == 200

    serving(use, tokens=())


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "alerts.example"])
def test_without_a_token_only_this_machine_may_connect(host: str) -> None:
    with pytest.raises(ConfigError, match="token"):
        AccessPolicy().check_host(host)
    AccessPolicy(tokens=(TOKEN,)).check_host(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_this_machine_needs_no_token(host: str) -> None:
    AccessPolicy().check_host(host)


def test_a_short_token_is_refused_and_never_shown() -> None:
    policy = AccessPolicy(tokens=("hunter2",))
    with pytest.raises(ConfigError) as refused:
        policy.check_host("127.0.0.1")
    assert "hunter2" not in f"{refused.value}{policy!r}"


def test_a_port_in_use_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = AlertsServer(
            host="127.0.0.1",
            port=taken.getsockname()[1],
            access=AccessPolicy(),
            store=MemorySilenceStore(),
            view=ListedAlerts(),
            clock=lambda: datetime.fromtimestamp(NOW_S, UTC),
            version="1",
        )
        with pytest.raises(ConfigError, match="another port"):
            asyncio.run(server.start())


def test_alerts_are_listed_with_their_silences() -> None:
    async def use(bench: Bench) -> None:
        status, found = await bench.ask("GET", "/api/v2/alerts")
        assert status == 200
        assert [each["fingerprint"] for each in found] == [ALERT.fingerprint]
        await bench.ask("POST", "/api/v2/silences", json=silence(), headers=AUTHORIZED)
        hidden = {"silenced": "false"}
        assert await bench.ask("GET", "/api/v2/alerts", params=hidden) == (200, [])
        _, groups = await bench.ask("GET", "/api/v2/alerts/groups")
        assert [group["receiver"] for group in groups] == [{"name": "oncall"}]
        for name, text in (("silenced", "maybe"), ("receiver", "("), ("receiver", "(a+)+")):
            assert (await bench.ask("GET", "/api/v2/alerts", params={name: text}))[0] == 400
        _, found = await bench.ask("GET", "/api/v2/alerts", params={"receiver": "on.*"})
        assert len(found) == 1

    serving(use)


def test_the_status_is_one_that_clients_of_alertmanager_read() -> None:
    async def use(bench: Bench) -> None:
        _, status = await bench.ask("GET", "/api/v2/status")
        assert status["cluster"] == {"status": "disabled", "peers": []}
        assert status["versionInfo"]["version"] == "1.2.3"
        assert status["config"] == {"original": "route: {receiver: oncall}\n"}
        assert status["uptime"] == "2026-01-05T08:00:00.000000Z"
        assert await bench.ask("GET", "/api/v2/receivers") == (200, [{"name": "oncall"}])
        assert (await bench.ask("GET", "/nowhere"))[0] == 404

    serving(use)
