"""The account of one client: what was emitted and lost, told to the owner's hook and to the log."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from inferometer.sdk.items import events_in, key_of
from inferometer.sdk.stats import NEXT_STEPS, ClientStats, Complaints, Drop, DropReason

if TYPE_CHECKING:
    from collections.abc import Callable

    from inferometer.sdk.items import Entry
    from inferometer.sdk.sender import Sender

_LOG = logging.getLogger("inferometer.sdk")


class Account:
    """Counts events that never reached the sender, and those that got lost anywhere."""

    def __init__(
        self, on_drop: Callable[[Drop], None] | None, monotonic: Callable[[], float]
    ) -> None:
        self._on_drop = on_drop
        self._lock = threading.Lock()
        self._turned_away = 0
        self._drops = dict.fromkeys(DropReason, 0)
        self._complaints = Complaints(_LOG, monotonic)

    def complain(self, subject: str, message: str) -> None:
        """Log, one line a subject every 30 s."""
        self._complaints.say(subject, message)

    def drop(self, reason: DropReason, detail: str, key: bytes | None) -> None:
        """Count an event that is lost or wrong, and tell the owner's hook."""
        with self._lock:
            self._drops[reason] += 1
        what = "is wrong" if reason is DropReason.INVALID else "is lost"
        self.complain(
            reason.value, f"an event {what} ({reason.value}): {NEXT_STEPS[reason]}: {detail}"
        )
        if self._on_drop is not None:
            try:
                self._on_drop(Drop(reason, detail, key))
            except Exception:  # noqa: BLE001 - a hook's fault must not reach the request that is being measured
                _LOG.exception("on_drop raised; the count in stats() is right all the same")

    def turn_away(self, entry: Entry, reason: DropReason, detail: str) -> None:
        """Count events that the sender never had, as emitted and as lost."""
        key = key_of(entry)
        for _ in range(events_in((entry,))):
            with self._lock:
                self._turned_away += 1
            self.drop(reason, detail, key)

    def stats(self, sender: Sender | None) -> ClientStats:
        """Return what became of all events."""
        waiting = sender.in_flight() if sender is not None else 0
        spool = sender.spool if sender is not None else None
        with self._lock:
            emitted, drops = self._turned_away, dict(self._drops)
        if sender is not None:
            emitted += sender.intake.accepted
        invalid = drops.pop(DropReason.INVALID)
        taken_over = spool.taken_over if spool else 0
        # Something may be counted twice while it passes from hand to hand.
        in_flight = min(waiting, emitted + taken_over - sum(drops.values()))
        return ClientStats(
            emitted=emitted,
            delivered=emitted + taken_over - in_flight - sum(drops.values()),
            in_flight=in_flight,
            failed=drops[DropReason.FAILED],
            dropped_buffer_full=drops[DropReason.BUFFER_FULL],
            dropped_too_large=drops[DropReason.TOO_LARGE],
            dropped_closed=drops[DropReason.CLOSED],
            invalid=invalid,
            dropped_spool_full=drops[DropReason.SPOOL_FULL],
            taken_over=taken_over,
            spool_events=spool.waiting if spool else 0,
            spool_bytes=spool.size_bytes if spool else 0,
            spool_oldest_age_s=spool.oldest_age_s() if spool else 0.0,
            spool_set_aside=spool.set_aside if spool else 0,
        )
