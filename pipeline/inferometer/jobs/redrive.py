"""Redrive: sends dead letters to their partitions again, each of them counted once.

What makes it exact is the event's own identity: it is the same however often a letter is sent, and
the sink holds events with `resent` against the whole log of their partition. The record of what was
sent only spares work.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

import pyarrow as pa

from inferometer.core.judgement import judge
from inferometer.core.reasons import Refusal
from inferometer.core.redrive import ResentEvent, Unmendable, resent_event
from inferometer.core.redrive_fates import Fate, Redriven, RedriveOptions, RedriveTotals
from inferometer.names import JSON_CONTENT_TYPE, REDRIVES_TABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from inferometer.core.door import DoorPolicy
    from inferometer.core.redrive import DeadLetterRow, LetterFilter
    from inferometer.ports import DeadLetterStore, RecordSender

BATCH_LETTERS = 500
BATCH_BYTES = 16 * 1024 * 1024
_INSTANT = pa.timestamp("us", "UTC")
BEGUN, SENT = "begun", "sent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Redrive:
    """Sends the letters that a filter finds."""

    store: DeadLetterStore
    sender: RecordSender
    door: DoorPolicy
    clock: Callable[[], datetime]
    options: RedriveOptions
    batch_letters: int = BATCH_LETTERS
    """Letters that are sent and recorded together, at most."""

    def run(self, wanted: LetterFilter, report: Callable[[Redriven], None]) -> RedriveTotals:
        """Send batch by batch; `report` hears of each letter once its batch is done.

        Raises StoreError and BrokerError; running it again goes on where it stopped.
        """
        totals = RedriveTotals()
        partitions = self.sender.partitions()
        for batch in _batches(self._letters(wanted), self.batch_letters):
            for outcome in self._batch(batch, partitions):
                totals.counts[outcome.fate] += 1
                report(outcome)
        return totals

    def _letters(self, wanted: LetterFilter) -> Iterator[DeadLetterRow]:
        """Yield letters until the limit is reached by those that have not been sent already.

        So that a redrive by so many at a time gets on.
        """
        left = wanted.limit
        for letter in self.store.letters(replace(wanted, limit=None)):
            if left is not None and self._is_due(letter):
                if left == 0:
                    return
                left -= 1
            yield letter

    def _is_due(self, letter: DeadLetterRow) -> bool:
        return letter.redriven != SENT or self.options.again

    def _batch(self, letters: Sequence[DeadLetterRow], partitions: int) -> list[Redriven]:
        """Send a batch.

        1. Make the events. No effect yet.
        2. Record that they are about to be sent. A crash after it: they are sent by the next run.
        3. Send, and wait for the broker. A crash in it or after it: the next run sends them again,
           under the same ids, and the sink drops what it has.
        4. Record that they were sent: the next run skips them.
        """
        values = self.store.values([letter.place for letter in letters])
        outcomes: list[Redriven] = []
        ready: list[tuple[DeadLetterRow, ResentEvent]] = []
        for letter in letters:
            event = self._event(letter, values.get(letter.place, b""), partitions)
            if isinstance(event, Redriven):
                outcomes.append(event)
            else:
                ready.append((letter, event))
        if ready and not self.options.dry_run:
            self._record(ready, BEGUN, [0] * len(ready))
            offsets = self.sender.send(
                [(letter.place.partition, event.value) for letter, event in ready]
            )
            self._record(ready, SENT, offsets)
        fate = Fate.WOULD_SEND if self.options.dry_run else Fate.SENT
        return [*outcomes, *(Redriven(letter, fate, event.event_id) for letter, event in ready)]

    def _event(
        self, letter: DeadLetterRow, value: bytes, partitions: int
    ) -> ResentEvent | Redriven:
        if not self._is_due(letter):
            return Redriven(letter, Fate.ALREADY_SENT)
        if letter.place.partition >= partitions:
            return Redriven(
                letter, Fate.NO_PARTITION, detail=f"the topic has {partitions} partitions now"
            )
        event = resent_event(value, letter.place, self.options.changes)
        if isinstance(event, Unmendable):
            return Redriven(letter, Fate.UNMENDABLE, detail=_said(event, letter))
        verdict = judge(event.value, self.door)
        if isinstance(verdict, Refusal) and not self.options.force:
            detail = f"{verdict.reason.value}: {verdict.detail}"
            return Redriven(letter, Fate.REFUSED_AGAIN, event.event_id, detail)
        return event

    def _record(
        self,
        sent: Sequence[tuple[DeadLetterRow, ResentEvent]],
        state: str,
        offsets: Sequence[int],
    ) -> None:
        places = [letter.place for letter, _ in sent]
        count = len(sent)
        rows = pa.table(
            {
                "kafka_topic": [place.topic for place in places],
                "kafka_partition": pa.array([place.partition for place in places], pa.int64()),
                "stream_id": [place.stream_id for place in places],
                "kafka_offset": pa.array([place.offset for place in places], pa.int64()),
                "kafka_index": pa.array([place.index for place in places], pa.int64()),
                "state": [state] * count,
                "event_id": [event.event_id for _, event in sent],
                "sent_offset": pa.array(offsets, pa.int64()),
                "changes": [self.options.changes.as_json()] * count,
                "recorded_at": pa.array([self.clock()] * count, _INSTANT),
            }
        )
        # No two runs write the same: the instant is part of it, so a block is never a repetition.
        first = places[0]
        token = (
            f"redrive/{first.stream_id}/{first}/{sent[0][0].times_sent}/{count}/{state}/"
            f"{self.clock().isoformat()}"
        )
        self.store.insert(table=REDRIVES_TABLE, rows=rows, token=token)


def _said(event: Unmendable, letter: DeadLetterRow) -> str:
    if letter.content_type == JSON_CONTENT_TYPE:
        return event.detail
    return (
        f"{event.detail}; a whole record, {letter.content_type}, is only sent anew by who made it: "
        f"`inferometer dead-letters show {letter.place} --json` has its bytes"
    )


def _batches(letters: Iterator[DeadLetterRow], count: int) -> Iterator[list[DeadLetterRow]]:
    """Yield letters in batches that are bounded in number and bytes."""
    while batch := list(islice(letters, count)):
        part: list[DeadLetterRow] = []
        size = 0
        for letter in batch:
            if part and size + letter.size > BATCH_BYTES:
                yield part
                part, size = [], 0
            part.append(letter)
            size += letter.size
        yield part
