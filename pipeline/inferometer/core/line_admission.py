"""Admission of JSON events, of which a record holds one, or one a line.

Invariants: a line that the compiled decoder is not sure about is judged by the model; its bytes are
those between the newlines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.admitted_rows import Part
from inferometer.core.decoder import DecodedRows, decode_spans
from inferometer.core.door import violations
from inferometer.core.envelopes import MAX_RECORD_EVENTS
from inferometer.core.event_kernel import OK
from inferometer.core.judged import Judged
from inferometer.core.judgement import Accepted, judge
from inferometer.core.line_kernel import newlines_of, split_lines
from inferometer.core.reasons import Reason, Refusal
from inferometer.core.records import ContentType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from inferometer.core.door import DoorPolicy
    from inferometer.core.records import RecordColumns

DEFECT = Refusal(
    Reason.UNDECODABLE, "accepted by the contract, yet not by the column decoder; please report it"
)
_BLANK = Refusal(Reason.EMPTY_RECORD, "the record has only blank lines")


@dataclass(frozen=True, slots=True)
class _Lines:
    """Spans of JSON events, the record of each and its place in it."""

    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    records: NDArray[np.int64]
    indexes: NDArray[np.int64]


def admit_lines(
    records: RecordColumns,
    rows: NDArray[np.int64],
    policy: DoorPolicy,
    poison: Mapping[tuple[int, int], Refusal],
) -> Judged:
    """Judge the JSON and ndjson records at `rows`; events of `poison` are not touched."""
    judged = Judged()
    lines = _lines(records, rows, judged)
    refusals = _poisoned(lines, poison)
    lengths = lines.lengths
    if refusals:
        lengths = lengths.copy()
        lengths[list(refusals)] = 0
    decoded = decode_spans(records.buffer, lines.starts, lengths, records.spare_bytes)
    accepted = _judge(records, lines, decoded, policy, refusals)
    for line, refusal in refusals.items():
        place = (int(lines.records[line]), int(lines.indexes[line]))
        judged.events[place] = (refusal, _value(records, lines, line))
    judged.parts.append(Part(decoded, accepted, records.offsets[lines.records], lines.indexes))
    judged.unknown_fields = int(decoded.unknown[accepted].sum())
    return judged


def mended_rows(values: list[bytes], unknown_fields: list[int]) -> DecodedRows:
    """Decode events in the canonical form that `judge` gives them."""
    lengths = np.array([len(value) for value in values], dtype=np.int64)
    buffer = np.frombuffer(b"".join(values), dtype=np.uint8)
    rows = decode_spans(buffer, np.cumsum(lengths) - lengths, lengths)
    rows.unknown[:] = unknown_fields
    return rows


def _lines(records: RecordColumns, rows: NDArray[np.int64], judged: Judged) -> _Lines:
    is_lines = records.content_types[rows] == ContentType.NDJSON
    if not is_lines.any():
        starts, lengths = records.starts[rows], records.lengths[rows]
        return _Lines(starts, lengths, rows, np.zeros(len(rows), dtype=np.int64))
    newlines = np.zeros(len(rows), dtype=np.int64)
    newlines_of(records.buffer, records.starts[rows], records.lengths[rows], is_lines, newlines)
    too_many = newlines > MAX_RECORD_EVENTS
    for row, count in zip(rows[too_many].tolist(), newlines[too_many].tolist(), strict=True):
        judged.records[row] = Refusal(
            Reason.TOO_LARGE,
            f"{count} lines; a record may carry {MAX_RECORD_EVENTS} events: send smaller batches",
        )
    rows, is_lines = rows[~too_many], is_lines[~too_many]
    starts, lengths = records.starts[rows], records.lengths[rows]
    found = np.empty((4, int(newlines[~too_many].sum()) + len(rows)), dtype=np.int64)
    count = split_lines(records.buffer, starts, lengths, is_lines, *found)
    line_starts, line_lengths, line_rows, indexes = found[:, :count]
    blank = np.bincount(line_rows, minlength=len(rows)) == 0
    judged.records |= dict.fromkeys(rows[blank].tolist(), _BLANK)
    return _Lines(line_starts, line_lengths, rows[line_rows], indexes)


def _poisoned(lines: _Lines, poison: Mapping[tuple[int, int], Refusal]) -> dict[int, Refusal]:
    found: dict[int, Refusal] = {}
    for (row, index), refusal in poison.items():
        at = np.flatnonzero((lines.records == row) & (lines.indexes == index))
        found |= dict.fromkeys(at.tolist(), refusal)
    return found


def _judge(
    records: RecordColumns,
    lines: _Lines,
    decoded: DecodedRows,
    policy: DoorPolicy,
    refusals: dict[int, Refusal],
) -> NDArray[np.bool_]:
    """Return which lines may enter; those that may not get a refusal."""
    accepted: NDArray[np.bool_] = (decoded.status == OK) & ~violations(decoded, policy)
    canonical: dict[int, Accepted] = {}
    for line in np.flatnonzero(~accepted).tolist():
        if line in refusals:
            continue
        verdict = judge(_value(records, lines, line), policy)
        if isinstance(verdict, Accepted):
            canonical[line] = verdict
        else:
            refusals[line] = verdict
    if canonical:
        again = np.array(sorted(canonical), dtype=np.int64)
        decoded.replace(again, [canonical[line].canonical for line in again.tolist()])
        decoded.unknown[again] = [canonical[line].unknown_fields for line in again.tolist()]
        accepted[again] = decoded.status[again] == OK
        refusals |= dict.fromkeys(again[~accepted[again]].tolist(), DEFECT)
    return accepted


def _value(records: RecordColumns, lines: _Lines, line: int) -> bytes:
    start = int(lines.starts[line])
    return records.buffer[start : start + int(lines.lengths[line])].tobytes()
