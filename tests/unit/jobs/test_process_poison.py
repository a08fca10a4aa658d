"""Events that computation fails on: they alone become dead letters, and only if they are to blame."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from inferometer import names
from inferometer.core.log_rows import log_table
from inferometer.testing.stores import MemoryChunkStore
from tests.unit.jobs.sink_job import assign, column, event, new_job, process

if TYPE_CHECKING:
    import pyarrow as pa

    from inferometer.core.columns import EventColumns


def test_a_record_that_computation_fails_on_becomes_a_dead_letter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail_on_poison(events: EventColumns, *others: Any) -> pa.Table:
        table = log_table(events, *others)
        if "poison" in table.column("event_id").to_pylist():
            raise ZeroDivisionError("by this one")
        return table

    monkeypatch.setattr("inferometer.jobs.process_chunk.log_table", fail_on_poison)
    store = MemoryChunkStore()
    job = new_job(store)
    assign(job, 0)
    outcome = process(job, [event("a"), event("poison"), event("b")])
    assert (outcome.stored, outcome.dead_by_reason) == (2, (("failed", 1),))
    assert column(store, names.REQUESTS_TABLE, "event_id") == ["a", "b"]
    assert column(store, names.DEAD_LETTERS_TABLE, "value") == [event("poison")]
    assert column(store, names.DEAD_LETTERS_TABLE, "detail") == ["ZeroDivisionError: by this one"]


def test_a_lack_of_memory_makes_no_dead_letters_while_the_failing_record_is_sought(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = itertools.count()

    def fail(_events: EventColumns, *_others: Any) -> pa.Table:
        raise MemoryError if next(calls) else ZeroDivisionError

    monkeypatch.setattr("inferometer.jobs.process_chunk.log_table", fail)
    store = MemoryChunkStore()
    job = new_job(store)
    assign(job, 0)
    with pytest.raises(MemoryError):
        process(job, [event("a"), event("b")])
    assert column(store, names.DEAD_LETTERS_TABLE, "value") == []
