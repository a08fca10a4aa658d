"""Records as columns: stretches of them, and a decoder that uses the room behind them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.admission import admit
from inferometer.core.decoder import decode_spans
from inferometer.core.door import DoorPolicy
from inferometer.core.event_kernel import OK
from inferometer.core.memory_kernel import WORD
from inferometer.core.records import SPARE_BYTES, RecordColumns
from inferometer.simulate.fixed_size import lean_events
from tests.unit.core.test_admission import POLICY as DOOR
from tests.unit.core.test_admission import event

NOW_US = 1_790_000_000_000_000
POLICY = DoorPolicy(now_us=NOW_US, retention_us=86_400_000_000, future_tolerance_us=300_000_000)


def with_room(values: list[bytes]) -> RecordColumns:
    """Return records in a buffer of their own with room behind them."""
    records = RecordColumns.from_values(values)
    return RecordColumns(
        buffer=np.concatenate([records.buffer, np.zeros(SPARE_BYTES, dtype=np.uint8)]),
        starts=records.starts,
        lengths=records.lengths,
        offsets=records.offsets,
        append_times_ms=records.append_times_ms,
        content_types=records.content_types,
        spare_bytes=SPARE_BYTES,
    )


@given(st.lists(st.binary(max_size=9), min_size=1, max_size=8), st.data())
def test_a_stretch_holds_its_records_and_no_other_byte(
    values: list[bytes], data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(values) - 1))
    stop = data.draw(st.integers(start + 1, len(values)))

    stretch = with_room(values).stretch(start, stop)

    assert [stretch.value(row) for row in range(len(stretch))] == values[start:stop]
    assert len(stretch.buffer) == sum(map(len, values[start:stop]))


def test_decoding_in_the_room_behind_the_records_changes_none_of_them() -> None:
    escaped = [value.replace(b'"event_id":"', b'"event_id":"\\u0041\\n') for value in EVENTS[:3]]
    for values in (EVENTS, [*EVENTS, *escaped], [b"{", *EVENTS], ["é".encode(), *EVENTS]):
        records = with_room(values)
        once = admit(records, POLICY)
        again = admit(records, POLICY)
        alike = admit(RecordColumns.from_values(values), POLICY)

        assert [records.value(row) for row in range(len(records))] == values
        chosen = np.flatnonzero(alike.accepted)
        ids = alike.select(chosen).texts["event_id"].to_pylist()
        assert len(ids) >= len(EVENTS)
        assert once.select(chosen).texts["event_id"].to_pylist() == ids
        assert again.select(chosen).texts["event_id"].to_pylist() == ids


def test_a_text_with_escapes_takes_room_once_however_many_fields_follow_it() -> None:
    # Each field that has no column yet has the event read anew.
    value = event(error_message='"' * 600, **FOLLOWING)
    records = RecordColumns.from_values([value])
    rows = decode_spans(records.buffer, records.starts, records.lengths)

    assert rows.status.tolist() == [OK]
    assert rows.side + WORD <= len(rows.buffer)
    assert rows.side < 2 * len(value)
    admission = admit(records, DOOR)
    assert admission.select(np.array([0])).texts["error_message"].to_pylist() == ['"' * 600]


def test_selecting_again_and_again_takes_no_more_room() -> None:
    tags = {str(n): '"' * 128 for n in range(32)}
    values = [event(event_id=str(n), metadata=tags, team_ids=["\\"]) for n in range(5)]
    records = RecordColumns.from_values(values)
    rows = decode_spans(records.buffer, records.starts, records.lengths)
    before = rows.side
    places = np.arange(5, dtype=np.int64)
    for _ in range(4):
        for row in places:
            found = rows.select(places[row : row + 1], places, places)
            assert dict(found.maps["metadata"].to_pylist()[0]) == tags
            assert found.lists["team_ids"].to_pylist() == [["\\"]]
    assert rows.side == before


FOLLOWING = {
    "user_id": "u", "provider": "p", "region": "r", "node_id": "n", "pod_id": "p", "feature": "f",
    "environment": "e", "stream": True, "e2e_ms": 5, "ttft_ms": 1, "input_tokens": 1,
    "output_tokens": 2, "team_ids": ["t"], "metadata": {"k": "v"}, "gpu_type": "g",
}  # fmt: skip
EVENTS = list(lean_events(40, 7, start_us=NOW_US - 60_000_000))
