"""Admission of a chunk: which of its events may enter, and which are dead letters and why.

A record is one JSON event, lines of JSON, or Arrow batches; a chunk may mix them.
Invariants: each event ends in exactly one of the two, and a record that cannot be read counts as
one; one bad event never costs its neighbours; events stand in (offset, index) order; the outcome is
a pure function of the records and the policy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.admitted_rows import AdmittedRows
from inferometer.core.arrow_admission import admit_streams
from inferometer.core.judged import WHOLE, Judged
from inferometer.core.line_admission import admit_lines
from inferometer.core.reasons import DeadLetter, Reason, Refusal
from inferometer.core.records import ContentType
from inferometer.names import ARROW_CONTENT_TYPE, JSON_CONTENT_TYPE, NDJSON_CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from inferometer.core.columns import EventColumns
    from inferometer.core.door import DoorPolicy
    from inferometer.core.records import RecordColumns

CONTENT_TYPE_NAMES = {
    ContentType.JSON: JSON_CONTENT_TYPE,
    ContentType.NDJSON: NDJSON_CONTENT_TYPE,
    ContentType.ARROW: ARROW_CONTENT_TYPE,
    ContentType.UNKNOWN: "unknown",
}
_EMPTY = Refusal(Reason.EMPTY_RECORD, "the record has no value")
_UNKNOWN = Refusal(
    Reason.UNKNOWN_CONTENT_TYPE,
    f"the content type is not read here; send {JSON_CONTENT_TYPE}, {NDJSON_CONTENT_TYPE} or "
    f"{ARROW_CONTENT_TYPE}",
)


@dataclass(frozen=True, slots=True)
class Admission:
    """Rows of events, which of them may enter, and a dead letter for each event that may not.

    There is a row for each accepted event, and there may be rows of refused ones.
    """

    rows: AdmittedRows
    dead_letters: list[DeadLetter]
    unknown_fields: int

    @property
    def accepted(self) -> NDArray[np.bool_]:
        """Which rows may enter."""
        return self.rows.accepted

    @property
    def indexes(self) -> NDArray[np.int64]:
        """The place of each row's event in its record."""
        return self.rows.indexes

    def select(self, rows: NDArray[np.int64]) -> EventColumns:
        """Return the finished columns of some accepted rows, which ascend."""
        return self.rows.select(rows)


def admit(
    records: RecordColumns,
    policy: DoorPolicy,
    poison: Mapping[tuple[int, int], Refusal] | None = None,
) -> Admission:
    """Decode records and hold each event against the rules of the door.

    `poison` has refusals of events by (record, index), or of whole records by (record, WHOLE);
    they are given, and what they are of is not decoded where that can be told beforehand.
    """
    given = poison or {}
    refused = {row: refusal for (row, index), refusal in given.items() if index == WHOLE}
    refused = {**_unreadable(records), **refused}
    readable = np.ones(len(records), dtype=np.bool_)
    readable[list(refused)] = False
    is_arrow = records.content_types == ContentType.ARROW
    streams = Judged()
    if is_arrow.any():
        streams = admit_streams(records, np.flatnonzero(readable & is_arrow), policy, given)
    parts, lines = streams.parts, Judged()
    if not parts or not is_arrow.all():
        lines = admit_lines(records, np.flatnonzero(readable & ~is_arrow), policy, given)
        parts = [*parts, *(part for part in lines.parts if len(part.offsets) or not parts)]
    letters = {
        **{(row, 0): (refusal, None) for row, refusal in refused.items()},
        **{(row, 0): (refusal, None) for row, refusal in streams.records.items()},
        **{(row, 0): (refusal, None) for row, refusal in lines.records.items()},
        **streams.events,
        **lines.events,
    }
    return Admission(
        rows=AdmittedRows(parts),
        dead_letters=[_dead_letter(records, *place, *letters[place]) for place in sorted(letters)],
        unknown_fields=streams.unknown_fields + lines.unknown_fields,
    )


def _unreadable(records: RecordColumns) -> dict[int, Refusal]:
    unknown = records.content_types == ContentType.UNKNOWN
    refusals = dict.fromkeys(np.flatnonzero(unknown).tolist(), _UNKNOWN)
    return refusals | dict.fromkeys(np.flatnonzero(records.lengths == 0).tolist(), _EMPTY)


def _dead_letter(
    records: RecordColumns, row: int, index: int, refusal: Refusal, event: bytes | None
) -> DeadLetter:
    """Return the letter of one event, with its JSON, or of a whole record, with its bytes."""
    own_type = CONTENT_TYPE_NAMES[ContentType(records.content_types[row])]
    return DeadLetter(
        offset=int(records.offsets[row]),
        index=index,
        append_time_ms=int(records.append_times_ms[row]),
        content_type=own_type if event is None else JSON_CONTENT_TYPE,
        refusal=refusal,
        value=records.value(row) if event is None else event,
    )
