"""A real Alertmanager takes our alerts, and sends on what our own webhook would have said."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from inferometer.core.alerts.receivers import Format, Permissions, Receiver
from inferometer.core.alerts.retries import Verdict, judge
from inferometer.core.alerts.trials import Heartbeat
from inferometer.core.secret import Secret
from inferometer.testing.notices import example_notice, example_resolve
from inferometer.webhooks.messages import compose
from inferometer.webhooks.sender import GuardedSender
from tests.services.alertmanager import running_alertmanager
from tests.unit.webhooks.hostile import HostileServer, hostile_server, status

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from inferometer.core.alerts.notices import Notice

pytestmark = pytest.mark.integration

CONFIG = """\
route:
  receiver: hook
  group_by: [workspace, service, slo]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: hook
    webhook_configs: [{url: "http://127.0.0.1:PORT/", send_resolved: true}]
"""
ARRIVES_WITHIN_S = 120.0
NEWER = {"notification_reason"}
"""Fields of later versions of Alertmanager, which this one leaves out."""


def clock_us() -> int:
    return time.time_ns() // 1000


def receiver_of(url: str, format_: Format) -> Receiver:
    port = int(url.rpartition(":")[2])
    return Receiver(
        name="hook",
        format=format_,
        url=Secret(f"{url}/api/v2/alerts"),
        permissions=Permissions(http=True, ports=frozenset({port}), networks=("127.0.0.0/8",)),
    )


async def sent_on(server: HostileServer, count: int) -> dict[str, Any]:
    """Return the body that Alertmanager sent as its n-th."""
    async with asyncio.timeout(ARRIVES_WITHIN_S):
        request = await server.request(count)
    found: dict[str, Any] = json.loads(request.body)
    return found


def with_alertmanager(
    folder: Path, notices: list[Notice]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Send notices through a real one; returns what it sent on, and what we would have sent."""

    async def run() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        theirs, ours = [], []
        async with hostile_server(status(200)) as server:
            config = CONFIG.replace("PORT", str(server.port))
            with running_alertmanager(folder, config) as url:
                sender = GuardedSender(clock_us=clock_us)
                for at, notice in enumerate(notices):
                    receiver = receiver_of(url, Format.ALERTMANAGER_API)
                    attempt = await sender.send(receiver, notice)
                    assert judge(attempt) is Verdict.DELIVERED, attempt
                    theirs.append(await sent_on(server, at + 1))
                    webhook = receiver_of(url, Format.ALERTMANAGER_V4)
                    ours.append(json.loads(compose(webhook, notice, now_us=clock_us()).body))
        return theirs, ours

    return asyncio.run(run())


def without(body: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in names}


def test_our_webhook_says_what_a_real_alertmanager_says(tmp_path: Path) -> None:
    theirs, ours = with_alertmanager(tmp_path, [example_notice(), example_resolve()])
    ids = ("groupKey", "externalURL", "alerts")
    for their, our in zip(theirs, ours, strict=True):
        assert set(our) - set(their) <= NEWER
        assert without(our, *ids, *NEWER) == without(their, *ids)
        (their_alert,), (our_alert,) = their["alerts"], our["alerts"]
        assert set(our_alert) == set(their_alert)
        times = ("startsAt", "endsAt", "fingerprint")
        assert without(our_alert, *times) == without(their_alert, *times)
        assert our_alert["startsAt"].removesuffix("Z") in their_alert["startsAt"]
    assert [body["status"] for body in theirs] == ["firing", "resolved"]
    assert theirs[0]["alerts"][0]["endsAt"] == ours[0]["alerts"][0]["endsAt"]


def test_a_heartbeat_is_an_alert_that_ends_when_heartbeats_do(tmp_path: Path) -> None:
    def beat(interval_s: int) -> Heartbeat:
        now_us = clock_us()
        return Heartbeat(receiver="hook", at_us=now_us, interval_s=interval_s, last_tick_us=now_us)

    async def run(check: Callable[[list[dict[str, Any]]], None]) -> None:
        async with hostile_server(status(200)) as server:
            config = CONFIG.replace("PORT", str(server.port))
            with running_alertmanager(tmp_path, config) as url:
                sender = GuardedSender(clock_us=clock_us)
                receiver = receiver_of(url, Format.ALERTMANAGER_API)
                # So long that it has not ended before Alertmanager has it.
                attempt = await sender.send_heartbeat(receiver, beat(5))
                assert judge(attempt) is Verdict.DELIVERED
                check([await sent_on(server, 1), await sent_on(server, 2)])

    def check(bodies: list[dict[str, Any]]) -> None:
        assert [body["status"] for body in bodies] == ["firing", "resolved"]
        assert bodies[0]["commonLabels"]["alertname"] == "Watchdog"

    asyncio.run(run(check))
