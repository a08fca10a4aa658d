"""The order of effects of a redrive: whatever dies at whatever step, each letter counts once."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from inferometer.core.door import DoorPolicy
from inferometer.core.redrive import Changes, DeadLetterRow, LetterFilter, LetterPlace
from inferometer.core.redrive_fates import Fate, Redriven, RedriveOptions
from inferometer.errors import BrokerError
from inferometer.jobs.redrive import Redrive
from inferometer.names import ARROW_CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

NOW = datetime(2026, 1, 2, tzinfo=UTC)
NOW_US = int(NOW.timestamp() * 1e6)
DOOR = DoorPolicy(now_us=NOW_US, retention_us=86_400_000_000, future_tolerance_us=10**6)
TOPIC = "inference.requests"


def event(**changes: object) -> bytes:
    fields = {"event_id": "e", "request_id": "r", "model": "m", "status_code": 200,
              "ts_end": NOW_US, **changes}  # fmt: skip
    return json.dumps(fields).encode()


class Letters:
    """Dead letters in memory, with the record of what was sent."""

    def __init__(self, *values: bytes, partition: int = 0) -> None:
        self.held = {
            LetterPlace(TOPIC, partition, "s", offset, 0): value
            for offset, value in enumerate(values)
        }
        self.recorded: list[tuple[str, int, int]] = []

    def letters(self, wanted: LetterFilter) -> Iterator[DeadLetterRow]:
        for place, value in self.held.items():
            states = [state for state, offset, _ in self.recorded if offset == place.offset]
            yield DeadLetterRow(
                place=place, reason="wrong_type", detail="", decided_at_us=0, append_time_ms=0,
                content_type="application/json", size=len(value),
                redriven="sent" if "sent" in states else "begun" if states else "",
                times_sent=states.count("sent"),
            )  # fmt: skip

    def counts(self, wanted: LetterFilter) -> dict[str, int]:
        return {"wrong_type": len(self.held)}

    def values(self, places: Sequence[LetterPlace]) -> dict[LetterPlace, bytes]:
        return {place: self.held[place] for place in places}

    def insert(self, *, table: str, rows: pa.Table, token: str) -> None:
        names = ("state", "kafka_offset", "sent_offset")
        self.recorded += zip(*(rows.column(name).to_pylist() for name in names), strict=True)


class Sender:
    """A partition that takes records; may lose its answer, or be away."""

    def __init__(self, partitions: int = 4) -> None:
        self.taken: list[tuple[int, bytes]] = []
        self._partitions = partitions
        self.failing = ""

    def partitions(self) -> int:
        return self._partitions

    def send(self, records: Sequence[tuple[int, bytes]]) -> list[int]:
        if self.failing == "before":
            raise BrokerError("away", retryable=True)
        self.taken += records
        if self.failing == "after":
            raise BrokerError("no answer", retryable=True)
        return list(range(100, 100 + len(records)))


def redrive(
    store: Letters,
    sender: Sender,
    options: RedriveOptions | None = None,
    *,
    limit: int | None = None,
) -> dict[Fate, int]:
    heard: list[Redriven] = []
    job = Redrive(
        store=store, sender=sender, door=DOOR, clock=lambda: NOW,
        options=options or RedriveOptions(),
    )  # fmt: skip
    totals = job.run(LetterFilter(TOPIC, limit=limit), heard.append)
    assert sum(totals.counts.values()) == len(heard)
    return dict(totals.counts)


def counted(sender: Sender) -> list[str]:
    """Return the events that a sink with deduplication of resent ones would store."""
    events = [json.loads(value) for _, value in sender.taken]
    assert all(event["resent"] is True for event in events)
    return list(dict.fromkeys(event["event_id"] for event in events))


def test_letters_go_to_their_partition_and_are_recorded_before_and_after() -> None:
    store, sender = Letters(event(event_id="a"), event(event_id="b"), partition=3), Sender()
    assert redrive(store, sender) == {Fate.SENT: 2}
    assert [partition for partition, _ in sender.taken] == [3, 3]
    assert store.recorded == [("begun", 0, 0), ("begun", 1, 0), ("sent", 0, 100), ("sent", 1, 101)]


def test_a_second_redrive_sends_nothing_unless_told() -> None:
    store, sender = Letters(event()), Sender()
    redrive(store, sender)
    assert redrive(store, sender) == {Fate.ALREADY_SENT: 1}
    assert redrive(store, sender, RedriveOptions(again=True)) == {Fate.SENT: 1}
    assert len(sender.taken) == 2
    assert counted(sender) == ["e"]


def test_a_redrive_by_so_many_at_a_time_gets_on() -> None:
    store, sender = Letters(*(event(event_id=str(n)) for n in range(5))), Sender()
    assert redrive(store, sender, limit=2) == {Fate.SENT: 2}
    assert redrive(store, sender, limit=2) == {Fate.ALREADY_SENT: 2, Fate.SENT: 2}
    assert redrive(store, sender, limit=2) == {Fate.ALREADY_SENT: 4, Fate.SENT: 1}
    assert redrive(store, sender, RedriveOptions(again=True), limit=2) == {Fate.SENT: 2}
    assert counted(sender) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("failing", ["before", "after"])
def test_a_redrive_that_died_is_made_up_for_and_counts_once(failing: str) -> None:
    store, sender = Letters(event(event_id="a"), b'{"event_id":null,' + event()[18:]), Sender()
    sender.failing = failing
    with pytest.raises(BrokerError):
        redrive(store, sender)
    sender.failing = ""
    assert redrive(store, sender) == {Fate.SENT: 2}
    assert len(counted(sender)) == 2


class _Dying(Letters):
    """Dies at the n-th record of what was sent."""

    def __init__(self, *values: bytes, fail_at: int) -> None:
        super().__init__(*values)
        self.left = fail_at

    def insert(self, *, table: str, rows: pa.Table, token: str) -> None:
        self.left -= 1
        if self.left == 0:
            raise RuntimeError("killed")
        super().insert(table=table, rows=rows, token=token)


@pytest.mark.parametrize("fail_at", [1, 2])
def test_death_at_any_record_of_the_work_loses_and_doubles_nothing(fail_at: int) -> None:
    store, sender = _Dying(event(event_id="a"), event(event_id="b"), fail_at=fail_at), Sender()
    with pytest.raises(RuntimeError):
        redrive(store, sender)
    assert redrive(store, sender) == {Fate.SENT: 2}
    assert counted(sender) == ["a", "b"]
    assert redrive(store, sender) == {Fate.ALREADY_SENT: 2}


def test_one_letter_that_cannot_go_never_costs_its_neighbours() -> None:
    store = Letters(event(event_id="a"), b"{", event(status_code="x"), event(event_id="b"))
    sender = Sender()
    assert redrive(store, sender) == {Fate.SENT: 2, Fate.UNMENDABLE: 1, Fate.REFUSED_AGAIN: 1}
    assert counted(sender) == ["a", "b"]


def test_a_whole_record_of_many_events_stays_and_says_where_its_bytes_are() -> None:
    store = Letters(b"\xff\xff\xff\xff arrow")
    whole, heard = store.letters, list[Redriven]()
    store.letters = lambda wanted: (  # type: ignore[method-assign]
        replace(letter, content_type=ARROW_CONTENT_TYPE) for letter in whole(wanted)
    )
    job = Redrive(
        store=store, sender=Sender(), door=DOOR, clock=lambda: NOW, options=RedriveOptions()
    )
    job.run(LetterFilter(TOPIC), heard.append)
    [outcome] = heard
    assert outcome.fate is Fate.UNMENDABLE
    assert ARROW_CONTENT_TYPE in outcome.detail
    assert "dead-letters show 0:0:0 --json" in outcome.detail


def test_a_change_mends_what_the_door_refused() -> None:
    store, sender = Letters(event(status_code="x")), Sender()
    options = RedriveOptions(changes=Changes({"status_code": "200"}))
    assert redrive(store, sender, options) == {Fate.SENT: 1}
    assert json.loads(sender.taken[0][1])["status_code"] == 200


def test_force_sends_what_would_be_refused_again() -> None:
    store, sender = Letters(event(status_code="x")), Sender()
    assert redrive(store, sender, RedriveOptions(force=True)) == {Fate.SENT: 1}


def test_a_dry_run_has_no_effect() -> None:
    store, sender = Letters(event(), b"{"), Sender()
    found = redrive(store, sender, RedriveOptions(dry_run=True))
    assert found == {Fate.WOULD_SEND: 1, Fate.UNMENDABLE: 1}
    assert (sender.taken, store.recorded) == ([], [])


def test_a_partition_that_is_gone_is_named() -> None:
    store = Letters(event(), partition=9)
    assert redrive(store, Sender(partitions=4)) == {Fate.NO_PARTITION: 1}


def test_large_letters_travel_in_several_batches() -> None:
    store, sender = Letters(*(event(event_id=str(n)) for n in range(3))), Sender()
    sizes = dict.fromkeys(store.held, 9 * 1024 * 1024)
    whole = store.letters

    def letters(wanted: LetterFilter) -> Iterator[DeadLetterRow]:
        return (replace(letter, size=sizes[letter.place]) for letter in list(whole(wanted)))

    store.letters = letters  # type: ignore[method-assign]
    assert redrive(store, sender) == {Fate.SENT: 3}
    assert [state for state, _, _ in store.recorded] == ["begun", "sent"] * 3
