from __future__ import annotations

from pathlib import Path

import pytest

from inferometer.clickhouse.queries import (
    AdmittedValues,
    DedupeFloor,
    EventIds,
    KnownEvents,
    OffsetSpan,
)
from inferometer.core.chunks import StreamPartition

GOLDEN = Path(__file__).parents[2] / "golden" / "clickhouse"
SPAN = OffsetSpan(StreamPartition("t", 3, "s"), 10, 20)


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("event_ids", EventIds(SPAN)),
        ("known_events", KnownEvents(SPAN, ("a", "b"))),
        ("admitted_values", AdmittedValues(SPAN.source, 20)),
        ("dedupe_floor", DedupeFloor(SPAN.source, 20, 1000)),
    ],
)
def test_the_text_of_a_query_is_golden(
    name: str, query: EventIds | KnownEvents | AdmittedValues | DedupeFloor, update_golden: bool
) -> None:
    text, _ = query.sql()
    file = GOLDEN / f"{name}.sql"
    if update_golden:
        file.write_text(text + "\n", encoding="utf-8")
    assert file.read_text(encoding="utf-8") == text + "\n"


def test_values_are_bound_and_never_in_the_text() -> None:
    text, parameters = KnownEvents(SPAN, ("'; DROP",)).sql()
    assert "DROP" not in text
    assert parameters["event_ids"] == ["'; DROP"]
    assert (parameters["partition"], parameters["floor"], parameters["before"]) == (3, 10, 20)


def test_a_floor_before_the_first_offset_is_the_first_offset() -> None:
    assert OffsetSpan(SPAN.source, -5, -1).parameters()["floor"] == 0
