"""Rows of a chunk's events in one order, whatever the envelopes that brought them.

Invariant: rows stand in (offset, index) order; selecting some of them gives their columns in the
order in which they are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa

from inferometer.core.event_merge import join, take

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from inferometer.core.columns import CodeColumn, EventColumns

    Integers = NDArray[np.int64]


class EventRows(Protocol):
    """Rows of events that can be looked at before they become columns."""

    def number(self, name: str) -> Integers:
        """Return a number of every row; undefined where a row was refused."""

    def texts(self, name: str, rows: Integers) -> pa.StringArray:
        """Return a text of some rows."""

    def in_log_order(self, rows: Integers) -> Integers:
        """Return rows as the log sorts them, where selecting them so costs nothing."""

    def select(self, rows: Integers, offsets: Integers, indexes: Integers) -> EventColumns:
        """Return the columns of some rows; offsets and indexes are those of every row."""


class ColumnRows:
    """Columns that are finished, as rows; implements EventRows."""

    def __init__(self, events: EventColumns) -> None:
        self._events = events

    def number(self, name: str) -> Integers:
        """Return a number of every row."""
        return self._events.numbers[name]

    def code(self, name: str) -> CodeColumn:
        """Return a repeated text of every row."""
        return self._events.codes[name]

    def texts(self, name: str, rows: Integers) -> pa.StringArray:
        """Return a text of some rows."""
        texts = self._events.texts[name]
        return texts if len(rows) == len(texts) else texts.take(pa.array(rows))

    def in_log_order(self, rows: Integers) -> Integers:
        """Return the rows as they are: to move finished columns costs what the store would save."""
        return rows

    def select(self, rows: Integers, offsets: Integers, indexes: Integers) -> EventColumns:
        """Return the columns of some rows."""
        del offsets, indexes  # the columns have them
        return take(self._events, rows)


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one kind of envelope, in (offset, index) order among themselves."""

    rows: EventRows
    accepted: NDArray[np.bool_]
    offsets: Integers
    indexes: Integers


class AdmittedRows:
    """The rows of all parts of a chunk: of one part all, of several those that are accepted."""

    def __init__(self, parts: Sequence[Part]) -> None:
        if not parts:
            raise ValueError("a chunk has at least one part, if an empty one")
        self._parts = parts
        first = parts[0]
        self.accepted, self.offsets, self.indexes = first.accepted, first.offsets, first.indexes
        self._part_of = np.zeros(len(first.offsets), dtype=np.int32)
        self._place_of = np.arange(len(first.offsets), dtype=np.int64)
        if len(parts) > 1:
            self._interleave()

    def _interleave(self) -> None:
        places = [np.flatnonzero(part.accepted) for part in self._parts]
        pairs = list(zip(self._parts, places, strict=True))
        offsets = np.concatenate([part.offsets[at] for part, at in pairs])
        indexes = np.concatenate([part.indexes[at] for part, at in pairs])
        order = np.lexsort((indexes, offsets))
        self.offsets, self.indexes = offsets[order], indexes[order]
        self.accepted = np.ones(len(order), dtype=np.bool_)
        counts = [len(at) for at in places]
        self._part_of = np.repeat(np.arange(len(counts), dtype=np.int32), counts)[order]
        self._place_of = np.concatenate(places)[order]

    def __len__(self) -> int:
        return len(self.offsets)

    def number(self, name: str) -> Integers:
        """Return a number of every row; undefined where a row was refused."""
        if len(self._parts) == 1:
            return self._parts[0].rows.number(name)
        values = np.zeros(len(self), dtype=np.int64)
        for number, part in enumerate(self._parts):
            mine = self._part_of == number
            values[mine] = part.rows.number(name)[self._place_of[mine]]
        return values

    def texts(self, name: str, rows: Integers) -> pa.StringArray:
        """Return a text of some rows."""
        if len(self._parts) == 1:
            return self._parts[0].rows.texts(name, rows)
        pieces, order = [], []
        for number, part in enumerate(self._parts):
            mine = np.flatnonzero(self._part_of[rows] == number)
            pieces.append(part.rows.texts(name, self._place_of[rows[mine]]))
            order.append(mine)
        return pa.concat_arrays(pieces).take(pa.array(np.argsort(np.concatenate(order))))

    def select(self, rows: Integers) -> EventColumns:
        """Return the columns of some accepted rows, in the order of the log where that is free."""
        if len(self._parts) == 1:
            only = self._parts[0].rows
            return only.select(only.in_log_order(rows), self.offsets, self.indexes)
        pieces, order = [], []
        for number, part in enumerate(self._parts):
            mine = np.flatnonzero(self._part_of[rows] == number)
            if len(mine):
                places = self._place_of[rows[mine]]
                pieces.append(part.rows.select(places, part.offsets, part.indexes))
                order.append(mine)
        if not pieces:
            return self._parts[0].rows.select(rows, self._parts[0].offsets, self._parts[0].indexes)
        return take(join(pieces), np.argsort(np.concatenate(order)))
