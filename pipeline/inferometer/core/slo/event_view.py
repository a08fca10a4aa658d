"""Events and deadline signals as what objectives ask of them: dimensions, selections, groups.

Invariants: a dimension that an event lacks is the empty text; groups are numbered by first
appearance and hold each combination of values once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa

from inferometer.core.columns import CodeColumn
from inferometer.core.group_kernel import group_rows
from inferometer.core.slo.dimensions import STATUS, STREAM, TEAM

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from inferometer.core.alerts.matchers import Matcher
    from inferometer.core.columns import EventColumns
    from inferometer.core.signals import InferenceSignal

    Flags = NDArray[np.bool_]
    Hashes = NDArray[np.uint64]
    Integers = NDArray[np.int64]

CELL_S = 10
_CELL_US = CELL_S * 1_000_000
_BOOLEAN = ("false", "true")
_LEAST_FAILED, _MOST_STATUS = 400, 999
_STATUSES = tuple(str(code) if code >= _LEAST_FAILED else "" for code in range(_MOST_STATUS + 1))


class View(Protocol):
    """Rows with an instant and dimensions."""

    @property
    def instants_us(self) -> Integers:
        """The event time of each row."""

    def dimension(self, name: str) -> CodeColumn:
        """Return a dimension of every row."""


class RequestView(View, Protocol):
    """Rows that can be told apart, and drawn."""

    @property
    def hashes(self) -> Hashes | None:
        """Hashes of the ids of the rows, where they are known."""

    def dimension_of(self, name: str, rows: Integers) -> CodeColumn:
        """Return a dimension of some rows, or with what status they failed."""


@dataclass(frozen=True, slots=True)
class EventView:
    """Accepted events of one chunk, without duplicates."""

    events: EventColumns
    hashes: Hashes | None = None
    """Of the event ids."""

    @property
    def instants_us(self) -> Integers:
        """The end of each attempt."""
        return self.events.numbers["ts_end"]

    def dimension(self, name: str) -> CodeColumn:
        """Return a dimension of every event."""
        if name == TEAM:
            return _first_of(self.events.lists["team_ids"])
        if name == STREAM:
            return CodeColumn(self.events.numbers["stream"].astype(np.int32), _BOOLEAN)
        return self.events.codes.get(name) or _nothing(len(self.events))

    def dimension_of(self, name: str, rows: Integers) -> CodeColumn:
        """Return a dimension of some events, or with what status they failed."""
        if name == TEAM:
            return _first_of(self.events.lists["team_ids"].take(pa.array(rows)))
        if name == STATUS:
            statuses = self.events.numbers["status_code"][rows].clip(0, _MOST_STATUS)
            return CodeColumn(statuses.astype(np.int32), _STATUSES)
        column = self.dimension(name)
        return CodeColumn(column.codes[rows], column.values)


@dataclass(frozen=True, slots=True)
class SignalView:
    """Deadline signals; a dimension that signals do not carry is empty."""

    signals: Sequence[InferenceSignal]
    is_first_of_request: Flags
    """Two deadlines of one request may be missed; it is bad once."""
    hashes: Hashes | None = None
    """Of the ids of the signals."""

    @property
    def instants_us(self) -> Integers:
        """When each deadline passed."""
        return np.array([signal.ts for signal in self.signals], dtype=np.int64)

    def dimension(self, name: str) -> CodeColumn:
        """Return a dimension of every signal."""
        return _dimension_of_signals(self.signals, name)

    def dimension_of(self, name: str, rows: Integers) -> CodeColumn:
        """Return a dimension of some signals."""
        return _dimension_of_signals([self.signals[row] for row in rows.tolist()], name)


def _dimension_of_signals(signals: Iterable[InferenceSignal], name: str) -> CodeColumn:
    return coded([_text(getattr(signal, name, "")) for signal in signals])


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def coded(texts: Sequence[str]) -> CodeColumn:
    """Return texts as codes, numbered by first appearance."""
    places: dict[str, int] = {}
    codes = [places.setdefault(text, len(places)) for text in texts]
    return CodeColumn(np.array(codes, dtype=np.int32), tuple(places) or ("",))


def _nothing(count: int) -> CodeColumn:
    return CodeColumn(np.zeros(count, dtype=np.int32), ("",))


def _first_of(lists: pa.ListArray) -> CodeColumn:
    starts = np.asarray(lists.offsets)
    is_empty = starts[1:] == starts[:-1]
    if is_empty.all():
        return _nothing(len(lists))
    items = lists.values.dictionary_encode()
    texts = [*items.dictionary.to_pylist(), ""]
    codes = np.asarray(items.indices)[np.where(is_empty, 0, starts[:-1])]
    return CodeColumn(np.where(is_empty, len(texts) - 1, codes).astype(np.int32), tuple(texts))


def selected(view: View, workspace: str, selector: Iterable[Matcher]) -> Flags:
    """Return which rows an objective is about; each distinct text is matched once."""
    chosen = np.ones(len(view.instants_us), dtype=np.bool_)
    if workspace:
        column = view.dimension("workspace_id")
        chosen &= np.array([text == workspace for text in column.values])[column.codes]
    for matcher in selector:
        column = view.dimension(matcher.name)
        verdicts = [matcher.matches({matcher.name: text}) for text in column.values]
        chosen &= np.array(verdicts, dtype=np.bool_)[column.codes]
    return chosen


@dataclass(frozen=True, slots=True)
class Cells:
    """Rows sorted into cells of 10 s and groups."""

    groups: tuple[tuple[str, ...], ...]
    """Distinct, in order of appearance."""
    group: NDArray[np.int32]
    """Of each cell: an index into groups."""
    cells_s: Integers
    """Of each cell: its start, seconds since 1970."""
    cell_of: NDArray[np.int32]
    """Of each row: its cell."""

    def __len__(self) -> int:
        return len(self.cells_s)

    def sums(self, values: Integers) -> Integers:
        """Return the sum of one value a row by cell, exact in 64 bits."""
        found = np.zeros(len(self), dtype=np.int64)
        np.add.at(found, self.cell_of, values)
        return found

    def counts(self, flags: Flags) -> Integers:
        """Return how many rows of each cell are flagged."""
        return np.bincount(self.cell_of[flags], minlength=len(self)).astype(np.int64)


def into_cells(view: View, rows: Flags, group_by: Iterable[str]) -> Cells:
    """Sort the chosen rows into cells; only rows that are chosen have one."""
    columns = [view.dimension(name) for name in group_by]
    chosen = np.flatnonzero(rows)
    cells_s = view.instants_us[chosen] // _CELL_US * CELL_S
    codes = np.empty((len(columns), len(chosen)), dtype=np.int32)
    for number, column in enumerate(columns):
        codes[number] = column.codes[chosen]
    cell_of = np.empty(len(chosen), dtype=np.int32)
    firsts = group_rows(cells_s, codes, cell_of)
    texts = [
        tuple(column.values[code] for column, code in zip(columns, found, strict=True))
        for found in codes[:, firsts].T.tolist()
    ]
    return Cells(*_numbered(texts), cells_s[firsts], cell_of)


def _numbered(
    texts: Sequence[tuple[str, ...]],
) -> tuple[tuple[tuple[str, ...], ...], NDArray[np.int32]]:
    places: Mapping[tuple[str, ...], int]
    places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    return tuple(places), np.array([places[text] for text in texts], dtype=np.int32)
