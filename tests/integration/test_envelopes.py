"""Records of many events through the sink into the store: stored, audited and redriven by event."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from inferometer.clickhouse.dead_letters import ClickHouseDeadLetters
from inferometer.core.arrow_events import batch_of_json, encode
from inferometer.core.conservation import Kind
from inferometer.core.records import ContentType
from inferometer.core.redrive import Changes, LetterFilter
from inferometer.core.redrive_fates import Fate, RedriveOptions
from inferometer.names import REQUESTS_TOPIC
from tests.integration.audited import Audited, filled_store
from tests.integration.test_redrive import Sink, redrive

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audited]:
    template = filled_store(tmp_path_factory.mktemp("filled"))
    with template.opened(tmp_path_factory.mktemp("opened")) as opened:
        yield opened


def event(audited: Audited, name: str, **changes: Any) -> bytes:
    fields = {
        "event_id": name, "request_id": name, "model": "enveloped", "status_code": 200,
        "ts_end": int(audited.now.timestamp() * 1e6), "input_tokens": 5, **changes,
    }  # fmt: skip
    return json.dumps(fields).encode()


def lines(audited: Audited, *values: bytes) -> bytes:
    value = b"\n".join(values)
    audited.topic.content_types[value] = ContentType.NDJSON
    return value


def batch(audited: Audited, *values: bytes, bad_row: int | None = None) -> bytes:
    whole = batch_of_json(list(values))
    if bad_row is not None:
        statuses = [1000 if row == bad_row else 200 for row in range(len(values))]
        at = whole.schema.get_field_index("status_code")
        whole = whole.set_column(at, "status_code", pa.array(statuses))
    value = encode(whole, "zstd")
    audited.topic.content_types[value] = ContentType.ARROW
    return value


def test_events_of_every_envelope_are_stored_once_and_accounted_for(audited: Audited) -> None:
    a, b, c, d, e, f = (event(audited, f"env-{name}") for name in "abcdef")
    broken = batch(audited, a, b)[:-50]
    audited.topic.content_types[broken] = ContentType.ARROW
    values = [
        lines(audited, a, b, b"{no json", a),
        batch(audited, c, b, d, c, bad_row=2),
        broken,
        e,
    ]
    audited.process(audited.job(), 0, values)
    audited.process(audited.job(), 0, [lines(audited, e, f), batch(audited, f, d)])
    found = audited.rows(
        "SELECT event_id, count() FROM requests WHERE model = 'enveloped' GROUP BY 1 ORDER BY 1"
    )
    assert found == [(f"env-{name}", 1) for name in "abcdef"]
    sums = audited.rows("SELECT sum(requests), sum(input_tokens) FROM model_1h "
                        "WHERE model = 'enveloped'")  # fmt: skip
    assert sums == [(6, 30)]
    [(records, events, stored, dead, duplicates)] = audited.rows(
        "SELECT sum(records), sum(events), sum(stored), sum(dead), sum(duplicates) "
        "FROM chunk_ledger WHERE kafka_partition = 0 AND first_offset >= "
        "(SELECT min(kafka_offset) FROM requests WHERE model = 'enveloped')"
    )
    assert (records, events, stored, dead, duplicates) == (6, 14, 6, 3, 5)
    assert audited.audit().is_ok
    assert audited.audit(with_topic=False).is_ok


def test_an_event_that_is_gone_from_the_log_is_missed_although_its_neighbours_are_there(
    audited: Audited,
) -> None:
    values = [
        lines(audited, *(event(audited, f"gone-l{n}") for n in range(3))),
        batch(audited, *(event(audited, f"gone-b{n}") for n in range(3))),
    ]
    chunk = audited.process(audited.job(), 1, values)
    assert audited.audit().is_ok
    audited.delete("requests", "event_id IN ('gone-l1', 'gone-b2')")
    found = [one for one in audited.audit().differences if one.kind is Kind.LOG_ROWS]
    first = chunk.intent.first_offset
    assert [one.offsets for one in found] == [(first, first + 1)]


def test_letters_of_inner_events_are_redriven_one_by_one(audited: Audited) -> None:
    text = [event(audited, f"mend-l{n}", status_code="200") for n in range(2)]
    good = [event(audited, f"fine-{n}") for n in range(4)]
    values = [
        lines(audited, good[0], *text, good[1]),
        batch(audited, good[2], event(audited, "mend-b"), good[3], bad_row=1),
    ]
    chunk = audited.process(audited.job(), 1, values)
    first = chunk.intent.first_offset
    wanted = LetterFilter(REQUESTS_TOPIC, places=((1, first, None), (1, first + 1, 1)))
    store = ClickHouseDeadLetters(audited.connection)
    letters = list(store.letters(wanted))
    assert {(letter.place.offset, letter.place.index) for letter in letters} == {
        (first, 1), (first, 2), (first + 1, 1),
    }  # fmt: skip
    assert {letter.content_type for letter in letters} == {"application/json"}
    shown = store.values([letter.place for letter in letters])
    assert {json.loads(value)["status_code"] for value in shown.values()} == {"200", 1000}
    mended = RedriveOptions(changes=Changes({"status_code": "200"}))
    sink = Sink(audited)
    assert redrive(audited, sink, mended, wanted) == {Fate.SENT: 3}
    again = RedriveOptions(changes=mended.changes, again=True)
    assert redrive(audited, sink, again, wanted) == {Fate.SENT: 3}
    assert audited.rows(
        "SELECT event_id, count(), any(resent) FROM requests WHERE event_id LIKE 'mend-%' "
        "GROUP BY 1 ORDER BY 1"
    ) == [("mend-b", 1, True), ("mend-l0", 1, True), ("mend-l1", 1, True)]
