"""Admission of a chunk: which of its records are events, and which are dead letters and why.

Invariants: each record ends in exactly one of the two; one bad record never costs its neighbours;
the outcome is a pure function of the records and the policy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.decoder import DecodedRows, decode_spans
from inferometer.core.door import violations
from inferometer.core.event_kernel import OK
from inferometer.core.judgement import Accepted, judge
from inferometer.core.reasons import DeadLetter, Reason, Refusal
from inferometer.core.records import ContentType
from inferometer.names import ARROW_CONTENT_TYPE, JSON_CONTENT_TYPE, NDJSON_CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from inferometer.core.door import DoorPolicy
    from inferometer.core.records import RecordColumns

CONTENT_TYPE_NAMES = {
    ContentType.JSON: JSON_CONTENT_TYPE,
    ContentType.NDJSON: NDJSON_CONTENT_TYPE,
    ContentType.ARROW: ARROW_CONTENT_TYPE,
    ContentType.UNKNOWN: "unknown",
}
_READ = (ContentType.JSON,)
_EMPTY = Refusal(Reason.EMPTY_RECORD, "the record has no value")
_DEFECT = Refusal(
    Reason.UNDECODABLE, "accepted by the contract, yet not by the column decoder; please report it"
)


@dataclass(frozen=True, slots=True)
class Admission:
    """Decoded rows, which of them may enter, and a dead letter for each of the others."""

    rows: DecodedRows
    accepted: NDArray[np.bool_]
    offsets: NDArray[np.int64]
    indexes: NDArray[np.int64]
    dead_letters: list[DeadLetter]
    unknown_fields: int


def admit(
    records: RecordColumns, policy: DoorPolicy, poison: Mapping[int, Refusal] | None = None
) -> Admission:
    """Decode records and hold each against the rules of the door.

    Records of `poison`, by their row, are not touched: their refusal is given.
    """
    refusals = {**_unreadable(records), **(poison or {})}
    lengths = records.lengths
    if poison:
        lengths = lengths.copy()
        lengths[list(poison)] = 0
    rows = decode_spans(records.buffer, records.starts, lengths)
    accepted = (rows.status == OK) & np.isin(records.content_types, _READ)
    accepted &= ~violations(rows, policy)
    unsure = np.flatnonzero(~accepted)
    canonical: dict[int, Accepted] = {}
    for row in unsure.tolist():
        if row in refusals:
            continue
        verdict = judge(records.value(row), policy)
        if isinstance(verdict, Accepted):
            canonical[row] = verdict
        else:
            refusals[row] = verdict
    if canonical:
        again = np.array(sorted(canonical), dtype=np.int64)
        rows.replace(again, [canonical[row].canonical for row in again.tolist()])
        rows.unknown[again] = [canonical[row].unknown_fields for row in again.tolist()]
        accepted[again] = rows.status[again] == OK
        refusals |= dict.fromkeys(again[~accepted[again]].tolist(), _DEFECT)
    return Admission(
        rows=rows,
        accepted=accepted,
        offsets=records.offsets,
        indexes=np.zeros(len(records), dtype=np.int64),
        dead_letters=[_dead_letter(records, row, refusals[row]) for row in sorted(refusals)],
        unknown_fields=int(rows.unknown[accepted].sum()),
    )


def _unreadable(records: RecordColumns) -> dict[int, Refusal]:
    refusals = {
        row: Refusal(
            Reason.UNKNOWN_CONTENT_TYPE,
            f"content-type {CONTENT_TYPE_NAMES[ContentType(records.content_types[row])]} is not "
            f"read here; send {JSON_CONTENT_TYPE}",
        )
        for row in np.flatnonzero(~np.isin(records.content_types, _READ)).tolist()
    }
    return refusals | dict.fromkeys(np.flatnonzero(records.lengths == 0).tolist(), _EMPTY)


def _dead_letter(records: RecordColumns, row: int, refusal: Refusal) -> DeadLetter:
    return DeadLetter(
        offset=int(records.offsets[row]),
        index=0,
        append_time_ms=int(records.append_times_ms[row]),
        content_type=CONTENT_TYPE_NAMES[ContentType(records.content_types[row])],
        refusal=refusal,
        value=records.value(row),
    )
