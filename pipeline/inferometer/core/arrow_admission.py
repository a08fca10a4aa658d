"""Admission of events that come as Arrow batches.

Invariants: what the columns leave in doubt is judged as JSON, a row at a time, by the same model as
every other event; rows that are refused cost a bounded number of bytes, whatever a stream unpacks to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.admitted_rows import ColumnRows, Part
from inferometer.core.arrow_columns import ArrowColumns
from inferometer.core.arrow_json import row_json
from inferometer.core.arrow_stream import StreamRows, read_streams, whole_table
from inferometer.core.door import violations
from inferometer.core.envelopes import MAX_UNPACKED_BYTES
from inferometer.core.event_kernel import OK
from inferometer.core.event_merge import take
from inferometer.core.judged import WHOLE, Judged
from inferometer.core.judgement import Accepted, judge
from inferometer.core.line_admission import DEFECT, mended_rows
from inferometer.core.reasons import Reason, Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

    from inferometer.core.door import DoorPolicy
    from inferometer.core.records import RecordColumns

MAX_REFUSED_BYTES = 4 * MAX_UNPACKED_BYTES
"""JSON of all refused events of a chunk's streams; records beyond it are refused as a whole."""

_TOO_MUCH_REFUSED = Refusal(
    Reason.TOO_LARGE,
    f"its refused events need more than {MAX_UNPACKED_BYTES} bytes as JSON in one record, or more "
    f"than {MAX_REFUSED_BYTES} in one chunk; mend the producer",
)


class _StreamJudge:
    """Judges the streams of one chunk."""

    def __init__(
        self,
        records: RecordColumns,
        policy: DoorPolicy,
        poison: Mapping[tuple[int, int], Refusal],
    ) -> None:
        self.judged = Judged()
        self._records = records
        self._policy = policy
        self._poison = poison
        self._refused_bytes = 0
        self._mended: dict[tuple[int, int], Accepted] = {}

    def judge_rows(self, rows: StreamRows) -> None:
        """Keep the accepted rows of some streams, and refuse or mend the others."""
        offsets = self._records.offsets[rows.records]
        columns = ArrowColumns(rows.table, offsets, rows.indexes)
        accepted = ~columns.doubtful
        accepted &= ~violations(ColumnRows(columns.events), self._policy)
        for row, index in self._poison:
            if index != WHOLE:
                accepted[(rows.records == row) & (rows.indexes == index)] = False
        kept = np.flatnonzero(accepted)
        for record in np.unique(rows.records[~accepted]).tolist():
            mine = rows.indexes[~accepted & (rows.records == record)]
            if not self._judge_record(record, mine):
                kept = kept[rows.records[kept] != record]
        self.judged.unknown_fields += rows.unknown_fields * len(kept)
        if len(kept):
            events = take(columns.events, kept)
            self.judged.parts.append(
                Part(
                    ColumnRows(events),
                    np.ones(len(kept), dtype=np.bool_),
                    events.offsets,
                    events.indexes,
                )
            )

    def _judge_record(self, record: int, indexes: NDArray[np.int64]) -> bool:
        """Judge rows of a record by the model; say whether its other rows may enter."""
        table = whole_table(self._records.value(record))
        if isinstance(table, Refusal):
            self.judged.records[record] = table
            return False
        refused: dict[tuple[int, int], tuple[Refusal, bytes]] = {}
        mended: dict[tuple[int, int], Accepted] = {}
        size = 0
        for index in indexes.tolist():
            place = (record, index)
            value = _json(table, index)
            verdict = self._poison.get(place) or judge(value, self._policy)
            if isinstance(verdict, Accepted):
                mended[place] = verdict
                continue
            refused[place] = (verdict, value)
            size += len(value)
            if size > MAX_UNPACKED_BYTES or self._refused_bytes + size > MAX_REFUSED_BYTES:
                self.judged.records[record] = _TOO_MUCH_REFUSED
                return False
        self._refused_bytes += size
        self.judged.events |= refused
        self._mended |= mended
        return True

    def finish(self) -> Judged:
        """Return what became of all streams."""
        if not self._mended:
            return self.judged
        places = sorted(self._mended)
        values = [self._mended[place].canonical for place in places]
        rows = mended_rows(values, [self._mended[place].unknown_fields for place in places])
        accepted = rows.status == OK
        for at in np.flatnonzero(~accepted).tolist():
            self.judged.events[places[at]] = (DEFECT, values[at])
        self.judged.unknown_fields += int(rows.unknown[accepted].sum())
        found = np.array(places, dtype=np.int64)
        self.judged.parts.append(
            Part(rows, accepted, self._records.offsets[found[:, 0]], found[:, 1])
        )
        return self.judged


def admit_streams(
    records: RecordColumns,
    rows: NDArray[np.int64],
    policy: DoorPolicy,
    poison: Mapping[tuple[int, int], Refusal],
) -> Judged:
    """Judge the Arrow records at `rows`; events of `poison` are refused."""
    judge_ = _StreamJudge(records, policy, poison)
    refused: dict[int, Refusal] = {}
    for part in read_streams(records, rows, refused):
        judge_.judge_rows(part)
    judged = judge_.finish()
    judged.records |= refused
    return judged


def _json(table: pa.Table, row: int) -> bytes:
    return row_json(table, row)
