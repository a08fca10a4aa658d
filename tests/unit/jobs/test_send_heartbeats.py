from __future__ import annotations

import asyncio
from typing import Any

from inferometer.core.alerts.receivers import Receiver
from inferometer.core.alerts.retries import SECOND_US
from inferometer.jobs.send_heartbeats import Heartbeats
from inferometer.testing.notices import NotingSender
from tests.unit.jobs.delivery_world import START_US


def beating(**receiver: Any) -> tuple[Heartbeats, NotingSender, dict[str, int]]:
    clock = {"now": START_US, "tick": START_US}
    sender = NotingSender()
    beats = Heartbeats(
        receivers=[Receiver(name="watch", **({"heartbeat_s": 60} | receiver))],
        sender=sender,
        clock_us=lambda: clock["now"],
        last_tick_us=lambda: clock["tick"],
    )
    return beats, sender, clock


def test_one_heartbeat_is_sent_in_each_interval() -> None:
    beats, sender, clock = beating()

    async def run() -> None:
        for _ in range(18):
            await beats.beat()
            clock["now"] += 10 * SECOND_US
            clock["tick"] = clock["now"]

    asyncio.run(run())
    assert len({beat.message_id for beat in sender.heartbeats}) == len(sender.heartbeats)
    assert 3 <= len(sender.heartbeats) <= 4


def test_heartbeats_stop_when_evaluation_does() -> None:
    beats, sender, clock = beating()
    clock["now"] += 121 * SECOND_US
    assert asyncio.run(beats.beat()) == {}
    assert sender.heartbeats == []


def test_who_wants_no_heartbeat_gets_none() -> None:
    beats, sender, _ = beating(heartbeat_s=None)

    async def run() -> None:
        stop = asyncio.Event()
        await asyncio.wait_for(beats.run(stop), timeout=60)

    asyncio.run(run())
    assert sender.heartbeats == []


def test_heartbeats_run_until_they_are_told_to_stop() -> None:
    beats, sender, _ = beating()

    async def run() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(beats.run(stop))
        await sender.was_called.wait()
        stop.set()
        await running

    asyncio.run(run())
    assert len(sender.heartbeats) == 1
