"""The delivery as it runs, in real time, against receivers that misbehave."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

import standardwebhooks

from inferometer.core.alerts.ledger import NoticeState
from inferometer.core.alerts.receivers import Permissions, Receiver
from inferometer.core.secret import Secret
from inferometer.jobs.deliver_notices import NoticeDelivery
from inferometer.testing.notices import (
    MemoryAttemptLog,
    MemoryNoticeLedger,
    example_notice,
    example_resolve,
)
from inferometer.webhooks.sender import GuardedSender, SenderLimits
from tests.integration.running_time import RunningTime
from tests.unit.webhooks.hostile import (
    HostileServer,
    Request,
    half_closing,
    hanging,
    hostile_server,
    resetting,
    slow_loris,
    status,
)

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
FAULTS = [
    status(500),
    resetting,
    half_closing,
    hanging,
    slow_loris,
    status(429, "Retry-After: 1"),
    status(408),
]
UNDER_WAY = (NoticeState.PLANNED, NoticeState.INFLIGHT)
WITHIN_S = 120.0
PATIENCE_S = 5.0
"""With a receiver: a machine that stands still for less makes no good answer a bad one."""
HANGS_FOR_S = 120.0
FIRST_WAIT_S = (1.0, 6.0)
"""As a receiver asks, or five seconds and a fifth of jitter; from the begin of an attempt."""
OVERCOME_WITHIN_S = 16.0
"""Both, of the time in which this process could run, and room for its own work."""


def clock_us() -> int:
    return time.time_ns() // 1000


def receiver_at(name: str, server: HostileServer) -> Receiver:
    return Receiver(
        name=name,
        url=Secret(f"http://127.0.0.1:{server.port}/"),
        signing_secrets=(Secret(KEY),),
        permissions=Permissions(
            http=True, ports=frozenset({server.port}), networks=("127.0.0.0/8",)
        ),
    )


def delivery_to(
    *receivers: Receiver, total_s: float = PATIENCE_S, log: MemoryAttemptLog | None = None
) -> NoticeDelivery:
    return NoticeDelivery(
        receivers={receiver.name: receiver for receiver in receivers},
        ledger=MemoryNoticeLedger(),
        log=log or MemoryAttemptLog(),
        sender=GuardedSender(clock_us=clock_us, limits=SenderLimits(total_s=total_s)),
        clock_us=clock_us,
    )


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.05)


def by_id(requests: list[Request]) -> dict[str, list[Request]]:
    found: dict[str, list[Request]] = {}
    for request in requests:
        found.setdefault(request.headers["webhook-id"], []).append(request)
    return found


def test_every_fault_is_overcome_in_order_under_one_id_with_fresh_signatures() -> None:
    incidents = [f"i{at}" for at in range(len(FAULTS))]

    log = MemoryAttemptLog()

    async def run() -> tuple[list[Request], float]:
        async with hostile_server([*FAULTS, status(200)]) as server:
            delivery = delivery_to(receiver_at("hook", server), log=log)
            stop = asyncio.Event()
            running = asyncio.create_task(delivery.run(stop))
            with RunningTime() as took:
                for make in (example_notice, example_resolve):
                    await delivery.accept(
                        [make(receiver="hook", incident_id=one) for one in incidents]
                    )
                    await _until(lambda: not delivery.entries(*UNDER_WAY))
            stop.set()
            await running
            return server.requests, took.seconds

    requests, took_s = asyncio.run(run())
    verifier = standardwebhooks.Webhook(KEY)
    types = [verifier.verify(one.body, one.headers)["type"] for one in requests]
    assert types == ["slo.alert.firing"] * 14 + ["slo.alert.resolved"] * 7
    tries = by_id(requests)
    assert sorted(map(len, tries.values())) == [1] * 7 + [2] * 7
    for one, *more in tries.values():
        assert all(other.body == one.body for other in more)
        assert all(
            other.headers["webhook-timestamp"] > one.headers["webhook-timestamp"] for other in more
        )
    waits_s = [(row.next_at_us - row.at_us) / 1e6 for row in log.rows if row.next_at_us is not None]
    assert len(waits_s) == len(FAULTS)
    assert FIRST_WAIT_S[0] <= min(waits_s) <= max(waits_s) <= FIRST_WAIT_S[1]
    assert took_s < OVERCOME_WITHIN_S


def test_a_receiver_that_hangs_does_not_delay_another() -> None:
    async def run() -> tuple[float, bytes]:
        async with hostile_server(status(200)) as good:
            async with hostile_server(hanging) as bad:
                receivers = receiver_at("bad", bad), receiver_at("good", good)
                delivery = delivery_to(*receivers, total_s=HANGS_FOR_S)
                stop = asyncio.Event()
                running = asyncio.create_task(delivery.run(stop))
                for at in range(30):
                    await delivery.accept([example_notice(receiver="bad", incident_id=f"i{at}")])
                await bad.request(8)
                begun = time.monotonic()
                await delivery.accept([example_notice(receiver="good")])
                request = await good.request(1)
                took_s = time.monotonic() - begun
                stop.set()
            # What hangs ends with its server.
            await running
            return took_s, request.body

    took_s, body = asyncio.run(run())
    assert took_s < HANGS_FOR_S / 4
    assert json.loads(body)["data"]["status"] == "firing"
