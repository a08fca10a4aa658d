"""The order of the log: as the store's ORDER BY sorts, stable within a key."""

from __future__ import annotations

import numpy as np
import orjson
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.decoder import decode_spans
from inferometer.core.log_order import TEN_MINUTES_US, log_order
from inferometer.core.records import RecordColumns

_KEYS = st.tuples(
    st.integers(0, 3), st.sampled_from(["", "b", "a", "ä", "Z"]), st.sampled_from(["m", "m-2", "é"])
)


@given(st.lists(_KEYS, max_size=40), st.data())
def test_rows_are_sorted_by_ten_minutes_workspace_and_model(
    keys: list[tuple[int, str, str]], data: st.DataObject
) -> None:
    values = [
        orjson.dumps(
            {
                "event_id": f"e{n}", "request_id": f"r{n}", "model": model, "status_code": 200,
                "workspace_id": workspace, "ts_end": 1_790_000_000_000_000 + span * TEN_MINUTES_US,
            }
        )
        for n, (span, workspace, model) in enumerate(keys)
    ]  # fmt: skip
    records = RecordColumns.from_values(values)
    rows = decode_spans(records.buffer, records.starts, records.lengths)
    kept = np.array(
        sorted(data.draw(st.sets(st.sampled_from(range(len(keys))))) if keys else []),
        dtype=np.int64,
    )

    order = log_order(rows, kept)

    expected = sorted(
        kept.tolist(), key=lambda n: (keys[n][0], keys[n][1].encode(), keys[n][2].encode(), n)
    )
    assert order.tolist() == expected
