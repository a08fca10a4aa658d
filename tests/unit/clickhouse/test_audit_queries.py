from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import pytest

from inferometer.clickhouse.dead_letters import LastLetters, LetterCounts, Letters, LetterValues
from inferometer.clickhouse.partition_checks import (
    IntentsAfter,
    KeptDays,
    KnownIds,
    LedgerEnds,
    LedgerEntries,
    RepeatedEvents,
    RepeatedHashes,
    RollupHours,
    RowsByEntry,
    RowsByHour,
    Sources,
    StoredPlaces,
    WindowsOfChunks,
)
from inferometer.clickhouse.repair_store import RepairsDone
from inferometer.clickhouse.rollup_checks import CompareWindows, DifferingGroups, FoldedDimensions
from inferometer.core.audit_spans import Slice
from inferometer.core.chunks import StreamPartition
from inferometer.core.conservation import OpenChunk
from inferometer.core.cubes import MEASURES, RESOLUTION_1H, RESOLUTION_10S, SERVICE, USAGE
from inferometer.core.redrive import LetterFilter, LetterPlace

GOLDEN = Path(__file__).parents[2] / "golden" / "clickhouse"
SOURCE = StreamPartition("t", 3, "s")
SPAN = Slice(3600, 7200)
EVIL = "'; DROP TABLE requests"
PLACE = LetterPlace(EVIL, 3, EVIL, 7, 0)
FILTER = LetterFilter(
    EVIL, reasons=(EVIL,), partitions=(3,), places=((3, 7, None), (3, 8, 0)), from_us=1, to_us=2
)


class Query(Protocol):
    def sql(self) -> tuple[str, dict[str, Any]]: ...


QUERIES: dict[str, Query] = {
    "audit_service_10s": CompareWindows(SERVICE, RESOLUTION_10S, SPAN),
    "audit_usage_1h_groups": DifferingGroups(USAGE, RESOLUTION_1H, [3600], 5),
    "audit_folded_dimensions": FoldedDimensions(USAGE, RESOLUTION_1H, SPAN),
    "audit_usage_1h_folded": CompareWindows(USAGE, RESOLUTION_1H, SPAN, ("team_id", "user_id")),
    "audit_kept_days": KeptDays(),
    "audit_sources": Sources(SPAN),
    "audit_ledger_ends": LedgerEnds(),
    "audit_ledger_entries": LedgerEntries(SOURCE, SPAN, 10, 5),
    "audit_rows_by_entry": RowsByEntry("requests", SOURCE, 10, 20),
    "audit_dead_rows_by_entry": RowsByEntry("dead_letters", SOURCE, 10, 20),
    "audit_repeated_offsets": StoredPlaces("requests", SOURCE, 10, 20, True, 5),
    "audit_intents_after": IntentsAfter({SOURCE: 9}, 60, SOURCE),
    "audit_windows_of_chunks": WindowsOfChunks([OpenChunk(SOURCE, 10, 20)], 60),
    "audit_log_hours": RowsByHour(SPAN),
    "audit_rollup_hours": RollupHours("usage_1h_rows", SPAN),
    "audit_repeated_hashes": RepeatedHashes(SPAN, 0, 2, 5),
    "audit_repeated_events": RepeatedEvents(SPAN, [7]),
    "audit_known_ids": KnownIds("t", [EVIL]),
    "audit_repairs_done": RepairsDone(EVIL),
    "dead_letters": Letters(FILTER, (5, PLACE), 5),
    "dead_letter_ends": LastLetters(FILTER),
    "dead_letter_counts": LetterCounts(FILTER),
    "dead_letter_values": LetterValues([PLACE]),
}


@pytest.mark.parametrize("name", QUERIES)
def test_the_text_of_a_query_is_golden(name: str, update_golden: bool) -> None:
    text, _ = QUERIES[name].sql()
    file = GOLDEN / f"{name}.sql"
    if update_golden:
        file.write_text(text + "\n", encoding="utf-8")
    assert file.read_text(encoding="utf-8") == text + "\n"


@pytest.mark.parametrize("name", QUERIES)
def test_values_are_bound_and_never_in_the_text(name: str) -> None:
    text, _ = QUERIES[name].sql()
    assert "DROP" not in text


def test_only_dimensions_of_the_cube_are_folded() -> None:
    plain = CompareWindows(SERVICE, RESOLUTION_10S, SPAN)
    foreign = CompareWindows(SERVICE, RESOLUTION_10S, SPAN, ("user_id", EVIL))
    assert foreign.sql() == plain.sql()


def test_every_measure_is_compared() -> None:
    text, _ = CompareWindows(SERVICE, RESOLUTION_10S, SPAN).sql()
    for measure in MEASURES:
        assert f"expected_{measure} != found_{measure}" in text
