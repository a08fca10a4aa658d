"""Joins and picks the columns of events: parts of a chunk that came in different envelopes.

Invariant: an event keeps all its values; only its place changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from inferometer.core.columns import CodeColumn, EventColumns, GapColumns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Integers = NDArray[np.int64]


def take(events: EventColumns, rows: Integers) -> EventColumns:
    """Return the events at `rows`, in that order."""
    if len(rows) == len(events) and (rows == np.arange(len(rows))).all():
        return events
    places = pa.array(rows)
    return EventColumns(
        offsets=events.offsets[rows],
        indexes=events.indexes[rows],
        numbers={name: values[rows] for name, values in events.numbers.items()},
        codes={
            name: CodeColumn(column.codes[rows], column.values)
            for name, column in events.codes.items()
        },
        texts={name: texts.take(places) for name, texts in events.texts.items()},
        lists={name: items.take(places) for name, items in events.lists.items()},
        maps={name: items.take(places) for name, items in events.maps.items()},
        gaps=_take_gaps(events.gaps, rows),
    )


def join(parts: Sequence[EventColumns]) -> EventColumns:
    """Return the events of all parts, one part after the other."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    return EventColumns(
        offsets=np.concatenate([part.offsets for part in parts]),
        indexes=np.concatenate([part.indexes for part in parts]),
        numbers={
            name: np.concatenate([part.numbers[name] for part in parts]) for name in first.numbers
        },
        codes={name: _join_codes([part.codes[name] for part in parts]) for name in first.codes},
        texts={
            name: pa.concat_arrays([part.texts[name] for part in parts]) for name in first.texts
        },
        lists={
            name: pa.concat_arrays([part.lists[name] for part in parts]) for name in first.lists
        },
        maps={name: pa.concat_arrays([part.maps[name] for part in parts]) for name in first.maps},
        gaps=_join_gaps([part.gaps for part in parts]),
    )


def _join_codes(columns: Sequence[CodeColumn]) -> CodeColumn:
    values: dict[str, int] = {}
    codes = []
    for column in columns:
        known = [values.setdefault(value, len(values)) for value in column.values]
        codes.append(np.array(known, dtype=np.int32)[column.codes])
    return CodeColumn(np.concatenate(codes), tuple(values))


def _join_gaps(parts: Sequence[GapColumns]) -> GapColumns:
    bases = np.cumsum([0, *(len(part.bins) for part in parts[:-1])])
    starts = [part.starts[:-1] + base for part, base in zip(parts, bases, strict=True)]
    end = np.array([sum(len(part.bins) for part in parts)], dtype=np.int64)
    return GapColumns(
        counts=np.concatenate([part.counts for part in parts]),
        sums_us=np.concatenate([part.sums_us for part in parts]),
        maxima_us=np.concatenate([part.maxima_us for part in parts]),
        starts=np.concatenate([*starts, end]),
        bins=np.concatenate([part.bins for part in parts]),
        bin_counts=np.concatenate([part.bin_counts for part in parts]),
    )


def _take_gaps(gaps: GapColumns, rows: Integers) -> GapColumns:
    lengths = np.diff(gaps.starts)[rows]
    starts = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum(lengths, out=starts[1:])
    # Each bin's place: where its row begins, and how far into the row it is.
    places = np.repeat(gaps.starts[:-1][rows] - starts[:-1], lengths) + np.arange(starts[-1])
    return GapColumns(
        counts=gaps.counts[rows],
        sums_us=gaps.sums_us[rows],
        maxima_us=gaps.maxima_us[rows],
        starts=starts,
        bins=gaps.bins[places],
        bin_counts=gaps.bin_counts[places],
    )
