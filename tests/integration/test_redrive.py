"""A dead letter goes back through the sink and counts once, whatever dies and however often."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from inferometer.clickhouse.dead_letters import ClickHouseDeadLetters
from inferometer.core.door import DoorPolicy
from inferometer.core.redrive import Changes, LetterFilter
from inferometer.core.redrive_fates import Fate, Redriven, RedriveOptions
from inferometer.errors import BrokerError
from inferometer.jobs.redrive import Redrive
from inferometer.names import REQUESTS_TOPIC
from tests.integration.audited import PARTITIONS, Audited, filled_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

pytestmark = pytest.mark.integration

EVERY = LetterFilter(REQUESTS_TOPIC)
PAGE = 3
"""Letters that are asked for and sent at once; few, so that a redrive does so several times."""
MENDED = RedriveOptions(changes=Changes({"status_code": "200"}))


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audited]:
    template = filled_store(tmp_path_factory.mktemp("filled"))
    with template.opened(tmp_path_factory.mktemp("opened")) as opened:
        yield opened


class Sink:
    """A sender whose partitions the sink reads; may die once the records are there."""

    def __init__(self, audited: Audited) -> None:
        self._audited = audited
        self._job = audited.job()
        self.dies = False
        self.taken = 0

    def partitions(self) -> int:
        return PARTITIONS

    def send(self, records: Sequence[tuple[int, bytes]]) -> list[int]:
        offsets = []
        self.taken += len(records)
        assert self.taken < 100, "it sends what it has made itself"
        for partition, value in records:
            chunk = self._audited.process(self._job, partition, [value])
            offsets.append(chunk.intent.first_offset)
        if self.dies:
            raise BrokerError("killed", retryable=True)
        return offsets


def redrive(
    audited: Audited, sink: Sink, options: RedriveOptions, wanted: LetterFilter = EVERY
) -> dict[Fate, int]:
    now_us = int(audited.now.timestamp() * 1e6)
    door = DoorPolicy(now_us=now_us, retention_us=10**12, future_tolerance_us=10**6)
    heard: list[Redriven] = []
    job = Redrive(
        store=ClickHouseDeadLetters(audited.connection, page_letters=PAGE),
        sender=sink,
        door=door,
        clock=lambda: audited.now,
        options=options,
        batch_letters=PAGE,
    )
    return dict(job.run(wanted, heard.append).counts)


def refused(audited: Audited, number: int) -> bytes:
    event = {
        "request_id": "r", "model": "m", "status_code": "200", "input_tokens": number,
        "ts_end": int(audited.now.timestamp() * 1e6), "note": "\u00e9",
    }  # fmt: skip
    # The second half lacks an id; each then gets one of its own.
    return json.dumps(event | ({"event_id": f"letter-{number}"} if number < 3 else {})).encode()


def test_letters_come_back_once_whatever_happens(audited: Audited) -> None:
    sink = Sink(audited)
    for partition in range(PARTITIONS):
        values = [refused(audited, 3 * partition + n) for n in range(3)]
        audited.process(audited.job(), partition, values)
    before = audited.rows("SELECT count() FROM requests")[0][0]

    # 8 are no JSON, 6 can be mended; the broker has them when the redrive dies.
    sink.dies = True
    with pytest.raises(BrokerError):
        redrive(audited, sink, MENDED)
    sink.dies = False
    assert redrive(audited, sink, MENDED) == {Fate.SENT: 6, Fate.UNMENDABLE: 8}
    assert redrive(audited, sink, MENDED) == {Fate.ALREADY_SENT: 6, Fate.UNMENDABLE: 8}
    again = RedriveOptions(changes=MENDED.changes, again=True)
    assert redrive(audited, sink, again) == {Fate.SENT: 6, Fate.UNMENDABLE: 8}

    query = ("SELECT count(), uniqExact(event_id), countIf(resent), groupUniqArray(input_tokens) "
             "FROM requests WHERE model = 'm'")  # fmt: skip
    count, ids, resent, tokens = audited.rows(query)[0]
    assert (count, ids, resent, sorted(tokens)) == (6, 6, 6, [0, 1, 2, 3, 4, 5])
    assert audited.rows("SELECT count() FROM requests")[0][0] == before + 6
    assert audited.rows("SELECT sum(requests) FROM model_1h WHERE model = 'm'") == [(6,)]
    assert audited.audit().is_ok


def test_letters_are_listed_in_order_with_what_became_of_them(audited: Audited) -> None:
    store = ClickHouseDeadLetters(audited.connection)
    assert store.counts(EVERY) == {"invalid_json": 8, "missing_field": 3, "wrong_type": 3}
    letters = list(store.letters(EVERY))
    assert len(letters) == 14
    assert {(letter.reason, letter.redriven) for letter in letters} == {
        ("invalid_json", ""), ("missing_field", "sent"), ("wrong_type", "sent"),
    }  # fmt: skip
    assert len({letter.place for letter in letters}) == 14
    values = store.values([letter.place for letter in letters])
    assert {len(values[letter.place]) == letter.size for letter in letters} == {True}
    assert b"{not json" in values.values()


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (LetterFilter(REQUESTS_TOPIC, reasons=("invalid_json",)), 8),
        (LetterFilter(REQUESTS_TOPIC, partitions=(1,)), 7),
        (LetterFilter(REQUESTS_TOPIC, places=((0, 7, None), (1, 7, 0), (1, 8, 0))), 2),
        (LetterFilter(REQUESTS_TOPIC, from_us=2**61), 0),
        (LetterFilter(REQUESTS_TOPIC, to_us=1), 0),
        (LetterFilter("another"), 0),
        (LetterFilter(REQUESTS_TOPIC, limit=3), 3),
    ],
    ids=["reason", "partition", "place", "since", "before", "topic", "limit"],
)
def test_a_filter_narrows(audited: Audited, wanted: LetterFilter, count: int) -> None:
    assert len(list(ClickHouseDeadLetters(audited.connection).letters(wanted))) == count


def test_the_bytes_of_a_letter_are_its_own_even_where_they_are_no_text(
    audited: Audited,
) -> None:
    chunk = audited.process(audited.job(), 0, [b"\xff\x00\xfe"])
    store = ClickHouseDeadLetters(audited.connection)
    offset = chunk.intent.first_offset
    wanted = LetterFilter(REQUESTS_TOPIC, places=((0, offset, None),))
    [place] = [letter.place for letter in store.letters(wanted)]
    assert store.values([place]) == {place: b"\xff\x00\xfe"}


def test_what_is_refused_again_is_no_letter_of_the_same_redrive(audited: Audited) -> None:
    values = [
        json.dumps(json.loads(refused(audited, 0)) | {"event_id": f"again-{number}"}).encode()
        for number in range(2 * PAGE)
    ]
    first = audited.process(audited.job(), 0, values).intent.first_offset
    sink = Sink(audited)
    unsent = LetterFilter(REQUESTS_TOPIC, reasons=("wrong_type",), partitions=(0,))
    counts = redrive(audited, sink, RedriveOptions(force=True), unsent)
    assert (counts[Fate.SENT], sink.taken) == (len(values), len(values))
    letters = list(ClickHouseDeadLetters(audited.connection).letters(unsent))
    made = [letter for letter in letters if letter.place.offset >= first + len(values)]
    assert [letter.redriven for letter in made] == [""] * len(values)
