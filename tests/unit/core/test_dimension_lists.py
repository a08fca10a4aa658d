"""Folding against an oracle that goes event by event."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.chunks import Intent, StreamPartition
from inferometer.core.columns import CodeColumn, EventColumns, GapColumns
from inferometer.core.dimension_caps import CAPPED_DIMENSIONS, OTHER, CapPolicy
from inferometer.core.dimension_lists import DimensionLists, Folding
from inferometer.core.state_rows import dimension_values_table
from tests.oracle.folding import FoldingOracle

if TYPE_CHECKING:
    from numpy.typing import NDArray

SOURCE = StreamPartition("inference.requests", 0, "run-1")
NONE = np.zeros(0, dtype=np.int64)
VALUES = ["", OTHER, "a", "b", "c", "d", "ä", "a" * 128]


@dataclass(frozen=True)
class PlainChunk:
    """Values of users and models by event, and what the intent pins."""

    first_offset: int
    users: list[str]
    models: list[str]
    month: int
    user_cap: int
    seed: int = 0
    """Of the order of the rows: events reach the store in the order of the log's key."""

    @property
    def decided_at(self) -> datetime:
        return datetime(2026, self.month, 3, tzinfo=UTC)

    @property
    def intent(self) -> Intent:
        caps = CapPolicy.by_name({"user_id": self.user_cap, "model": 2})
        return Intent(
            first_offset=self.first_offset,
            last_offset=self.first_offset + len(self.users) - 1,
            decided_at_us=int(self.decided_at.timestamp() * 1e6),
            dedupe_floor=0,
            price_version="p",
            cubes_version="1",
            caps=caps.caps,
        )

    @property
    def columns(self) -> dict[str, CodeColumn]:
        silent = coded([""] * len(self.users))
        return {
            **dict.fromkeys(CAPPED_DIMENSIONS, silent),
            "user_id": coded([self.users[place] for place in self.order]),
            "model": coded([self.models[place] for place in self.order]),
        }

    @property
    def order(self) -> NDArray[np.int64]:
        return np.random.default_rng(self.seed).permutation(len(self.users))

    def texts(self, column: CodeColumn) -> list[str]:
        """Return the texts of a column in the order of the records."""
        found = [""] * len(self.users)
        for place, code in zip(self.order, column.codes, strict=True):
            found[place] = column.values[code]
        return found

    @property
    def events(self) -> EventColumns:
        # Three events a record.
        offsets, indexes = np.divmod(self.order, 3)
        gaps = GapColumns(NONE, NONE, NONE, NONE, np.zeros(0, dtype=np.int16), NONE)
        return EventColumns(self.first_offset + offsets, indexes, {}, {}, {}, {}, {}, gaps)


def coded(texts: list[str]) -> CodeColumn:
    """Return a column whose values also hold some that no event has, as decoded chunks do."""
    values = ("", "unused", *sorted({*texts} - {""}, reverse=True))
    return CodeColumn(np.array([values.index(text) for text in texts], dtype=np.int32), values)


@st.composite
def chunk_runs(draw: st.DrawFn) -> list[PlainChunk]:
    chunks, offset, month = [], 0, 1
    for _ in range(draw(st.integers(1, 5))):
        count = draw(st.integers(1, 12))
        users, models = (
            draw(st.lists(st.sampled_from(VALUES), min_size=count, max_size=count)) for _ in "um"
        )
        # Caps change at will, and a clock may go back.
        month = max(1, month + draw(st.integers(-1, 1)))
        cap = draw(st.integers(1, 4))
        chunks.append(PlainChunk(offset, users, models, month, cap, draw(st.integers(0, 99))))
        offset += count
    return chunks


def run(lists: DimensionLists, chunk: PlainChunk) -> tuple[Folding, pa.Table | None]:
    folding = lists.fold(chunk.columns, chunk.events, chunk.intent)
    rows = dimension_values_table(folding, chunk.events, SOURCE) if folding.admitted else None
    lists.adopt(folding)
    return folding, rows


@given(chunks=chunk_runs())
def test_every_event_is_folded_as_the_oracle_folds_it(chunks: list[PlainChunk]) -> None:
    lists, oracle = DimensionLists(), FoldingOracle()
    for chunk in chunks:
        folding, _ = run(lists, chunk)
        month = f"{chunk.month:02d}"
        users = [oracle.fold(month, "user_id", u, chunk.user_cap) for u in chunk.users]
        models = [oracle.fold(month, "model", m, 2) for m in chunk.models]
        assert chunk.texts(folding.columns["user_id"]) == users
        assert chunk.texts(folding.columns["model"]) == models
        changed = [a != b for a, b in zip(users, chunk.users, strict=True)]
        assert folding.folded.get("user_id", 0) == sum(changed)


@given(chunks=chunk_runs())
def test_no_event_is_lost_or_doubled_by_any_cap(chunks: list[PlainChunk]) -> None:
    lists = DimensionLists()
    for chunk in chunks:
        folding, _ = run(lists, chunk)
        for name, before in chunk.columns.items():
            after = folding.columns[name]
            assert len(after.codes) == len(before.codes)
            assert len(set(after.values)) == len(after.values)
            kept, all_ = Counter(chunk.texts(after)), Counter(chunk.texts(before))
            moved = kept.pop(OTHER, 0)
            assert moved == sum((all_ - kept).values())


@given(chunks=chunk_runs(), data=st.data())
def test_lists_read_back_at_any_chunk_go_on_alike(
    chunks: list[PlainChunk], data: st.DataObject
) -> None:
    lists, stored, foldings = DimensionLists(), list[pa.Table](), list[Folding]()
    for chunk in chunks:
        folding, rows = run(lists, chunk)
        foldings.append(folding)
        stored += [] if rows is None else [rows]
    start = data.draw(st.integers(0, len(chunks) - 1))
    # The open chunk's own rows may be there already, and so may a frozen worker's of it.
    again = DimensionLists.of_rows(read(stored, before=chunks[start].first_offset))
    for chunk, folding in zip(chunks[start:], foldings[start:], strict=True):
        replayed = again.fold(chunk.columns, chunk.events, chunk.intent)
        assert replayed.month == folding.month
        assert replayed.folded == folding.folded
        for name in CAPPED_DIMENSIONS:
            assert chunk.texts(replayed.columns[name]) == chunk.texts(folding.columns[name])
        assert {n: new.texts.to_pylist() for n, new in replayed.admitted.items()} == {
            n: new.texts.to_pylist() for n, new in folding.admitted.items()
        }
        again.adopt(replayed)


def read(stored: list[pa.Table], *, before: int) -> pa.Table:
    """Return what a store answers: the latest month before an offset, in order of appearance."""
    rows = [row for block in stored for row in block.to_pylist() if row["kafka_offset"] < before]
    latest = max((row["month"] for row in rows), default=None)
    rows = [row for row in rows if row["month"] == latest]
    rows.sort(key=lambda row: (row["kafka_offset"], row["kafka_index"]))
    types = [("month", pa.date32()), ("dimension", pa.string()), ("value", pa.string())]
    return pa.Table.from_pylist(rows, pa.schema(types))


@given(chunks=chunk_runs())
def test_a_list_only_grows_within_its_month(chunks: list[PlainChunk]) -> None:
    lists, before = DimensionLists(), dict[tuple[date | None, str], int]()
    for chunk in chunks:
        run(lists, chunk)
        for name in CAPPED_DIMENSIONS:
            size = len(lists.texts.get(name, ()))
            assert size >= before.get((lists.month, name), 0)
            before[lists.month, name] = size


def test_a_chunk_that_was_not_stored_leaves_the_lists_as_they_were() -> None:
    lists = DimensionLists()
    chunk = PlainChunk(0, ["a", "b", "c"], ["m"] * 3, 1, 2)
    first, second = (lists.fold(chunk.columns, chunk.events, chunk.intent) for _ in range(2))
    assert first.new_values() == second.new_values() == (("model", 1), ("user_id", 2))
    assert lists.texts.get("user_id") is None or len(lists.texts["user_id"]) == 0


def test_a_lowered_cap_admits_no_more_and_keeps_what_is_admitted() -> None:
    lists = DimensionLists()
    run(lists, PlainChunk(0, ["a", "b"], ["m"] * 2, 1, 4))
    chunk = PlainChunk(2, ["a", "b", "c"], ["m"] * 3, 1, 1)
    folding, _ = run(lists, chunk)
    assert chunk.texts(folding.columns["user_id"]) == ["a", "b", OTHER]


def test_a_raised_cap_admits_from_its_chunk_on() -> None:
    lists = DimensionLists()
    run(lists, PlainChunk(0, ["a", "b"], ["m"] * 2, 1, 1))
    chunk = PlainChunk(2, ["c", "b", "c"], ["m"] * 3, 1, 2)
    folding, rows = run(lists, chunk)
    assert chunk.texts(folding.columns["user_id"]) == ["c", OTHER, "c"]
    assert rows is not None
    assert rows.select(["dimension", "value", "kafka_offset"]).to_pylist() == [
        {"dimension": "user_id", "value": "c", "kafka_offset": 2}
    ]


def test_values_that_no_event_of_the_chunk_has_are_not_admitted() -> None:
    lists = DimensionLists()
    run(lists, PlainChunk(0, ["a"], ["m"], 1, 4))
    assert len(lists.texts["user_id"]) == 1


def test_folded_values_leave_the_dictionary() -> None:
    lists = DimensionLists()
    folding, _ = run(lists, PlainChunk(0, [f"u{n}" for n in range(50)], ["m"] * 50, 1, 2))
    assert set(folding.columns["user_id"].values) == {"", "unused", "u0", "u1", OTHER}


def test_a_million_users_leave_a_list_of_the_cap() -> None:
    lists = DimensionLists()
    step, cap = 100_000, 20_000
    codes, places = np.arange(step, dtype=np.int32), np.arange(step)
    silent = CodeColumn(np.zeros(step, dtype=np.int32), ("",))
    plain = PlainChunk(0, [], [], 1, cap)
    folded = 0
    for start in range(0, 1_000_000, step):
        users = CodeColumn(codes, tuple(f"user-{n}" for n in range(start, start + step)))
        columns = {**dict.fromkeys(CAPPED_DIMENSIONS, silent), "user_id": users}
        events = replace(plain.events, offsets=start + places, indexes=np.zeros_like(places))
        folding = lists.fold(columns, events, plain.intent)
        lists.adopt(folding)
        folded += folding.folded.get("user_id", 0)
        assert len(set(folding.columns["user_id"].values)) <= cap + 2
    assert folded == 1_000_000 - cap
    assert len(lists.texts["user_id"]) == cap
    assert sum(listed.size_bytes for listed in lists.texts.values()) < 4_000_000
