"""Sends heartbeats to the receivers that want them, for as long as alerting is alive."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from inferometer.core.alerts.trials import Heartbeat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from inferometer.alert_ports import NoticeSender
    from inferometer.core.alerts.receivers import Receiver
    from inferometer.core.alerts.retries import Attempt

SECOND_US = 1_000_000
LONGEST_SILENCE_S = 120
"""An evaluation older than this means that alerts would come late: the heartbeat stops."""


class Heartbeats:
    """A dead man's switch: what watches it raises the alarm when heartbeats stop.

    So they must stop when the evaluation of rules does, not only when this process dies.
    """

    def __init__(
        self,
        *,
        receivers: Iterable[Receiver],
        sender: NoticeSender,
        clock_us: Callable[[], int],
        last_tick_us: Callable[[], int],
    ) -> None:
        self._receivers = [one for one in receivers if one.heartbeat_s]
        self._sender = sender
        self._clock_us = clock_us
        self._last_tick_us = last_tick_us
        self._sent: dict[str, str] = {}
        """The id of the last heartbeat to each receiver."""

    async def beat(self) -> dict[str, Attempt]:
        """Send what is due, to all at once; returns the attempts by receiver."""
        now_us = self._clock_us()
        tick_us = self._last_tick_us()
        if now_us - tick_us > LONGEST_SILENCE_S * SECOND_US:
            return {}
        due = []
        for receiver in self._receivers:
            beat = Heartbeat(
                receiver=receiver.name,
                at_us=now_us,
                interval_s=receiver.heartbeat_s or 0,
                last_tick_us=tick_us,
            )
            if self._sent.get(receiver.name) != beat.message_id:
                self._sent[receiver.name] = beat.message_id
                due.append((receiver, beat))
        attempts = await asyncio.gather(*(self._sender.send_heartbeat(r, b) for r, b in due))
        return {
            receiver.name: attempt for (receiver, _), attempt in zip(due, attempts, strict=True)
        }

    async def run(self, stop: asyncio.Event) -> None:
        """Beat until told to stop."""
        while self._receivers and not stop.is_set():
            await self.beat()
            shortest_s = min(receiver.heartbeat_s or 1 for receiver in self._receivers)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(shortest_s / 4, 5.0)):
                    await stop.wait()
