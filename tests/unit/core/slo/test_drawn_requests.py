"""What is drawn of requests: the same however they are cut, and enough to tell them apart."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.admission import admit
from inferometer.core.door import DoorPolicy, complete
from inferometer.core.price_book import PriceBook
from inferometer.core.price_columns import price_columns
from inferometer.core.records import RecordColumns
from inferometer.core.signals import InferenceSignal
from inferometer.core.slo.count_records import WrittenTable, decoded_tables, encoded_tables
from inferometer.core.slo.counting import CountTable, count_slo, count_slo_signals
from inferometer.core.slo.definitions import Availability, Cost, CostPer, Slo
from inferometer.core.slo.drawn_requests import (
    BAD,
    KINDS,
    MOST_DRAWN,
    TRAFFIC,
    TRAFFIC_BELOW,
    dimensions_of,
    lowest,
)
from inferometer.core.slo.event_view import EventView, SignalView
from inferometer.core.slo.reducer import part_of

NOW_US = 1_763_690_000_000_000
DOOR = DoorPolicy(now_us=NOW_US, retention_us=10**12, future_tolerance_us=10**9)
LOW, HIGH = int(TRAFFIC_BELOW) - 1, int(TRAFFIC_BELOW)


def slo(**changes: Any) -> Slo:
    given = {"name": "s", "workspace": "", "service": "chat", "indicator": Availability(),
             "objective": Decimal("0.999"), **changes}  # fmt: skip
    return Slo(**given)


def counted(definition: Slo, *requests: tuple[int, dict[str, Any]]) -> CountTable:
    """Count requests, each with the hash of its id."""
    values = [
        json.dumps(
            {"event_id": str(n), "request_id": str(n), "model": "m", "status_code": 200,
             "ts_end": NOW_US, **change}
        ).encode()
        for n, (_, change) in enumerate(requests)
    ]  # fmt: skip
    admission = admit(RecordColumns.from_values(values), DOOR)
    accepted = np.flatnonzero(admission.accepted)
    columns = admission.select(accepted)
    complete(columns.numbers)
    ids = columns.texts["event_id"].to_pylist()
    hashes = np.array([requests[int(event_id)][0] for event_id in ids], dtype=np.uint64)
    costs = price_columns(PriceBook("test", ()), columns)
    return count_slo(definition, EventView(columns, hashes), costs)


def said(table: CountTable) -> list[tuple[int, dict[str, str]]]:
    """Return for what each request was drawn, and what is known of it."""
    drawn = table.drawn
    assert drawn is not None
    return [
        (
            purpose,
            {
                name: drawn.texts[code]
                for name, code in zip(drawn.dimensions, codes, strict=True)
                if drawn.texts[code]
            },
        )
        for purpose, codes in zip(drawn.purposes.tolist(), drawn.codes.T.tolist(), strict=True)
    ]


def test_bad_requests_are_drawn_with_how_and_where_they_failed() -> None:
    table = counted(
        slo(group_by=("model",)),
        (HIGH, {}),
        (LOW, {"node_id": "n1", "team_ids": ["t", "u"]}),
        (HIGH, {"status_code": 503, "error_type": "timeout", "node_id": "n2", "region": "eu"}),
        (LOW, {"status_code": 500, "user_id": "ann", "provider": "own"}),
    )
    assert sorted(said(table), key=str) == [
        (BAD, {"status_code": "503", "error_type": "timeout", "node_id": "n2", "region": "eu"}),
        (TRAFFIC, {"node_id": "n1", "team_id": "t"}),
        (BAD | TRAFFIC, {"status_code": "500", "provider": "own"}),
    ]


def test_what_all_requests_of_a_group_share_is_not_carried() -> None:
    names = dimensions_of(slo(workspace="acme", group_by=("model", "region")))
    assert set(names).isdisjoint({"workspace_id", "model", "region"})
    assert names[: len(KINDS)] == KINDS


@pytest.mark.parametrize(
    "definition",
    [
        slo(),
        slo(indicator=Cost(per=CostPer.MINUTE, threshold_usd=Decimal(1))),
    ],
    ids=["nothing is bad and no hash is low", "a minute is bad, not its requests"],
)
def test_where_nothing_tells_requests_apart_none_is_drawn(definition: Slo) -> None:
    assert counted(definition, (HIGH, {}), (HIGH, {})).drawn is None


def test_signals_are_drawn_as_the_bad_requests_that_they_are() -> None:
    signal = InferenceSignal(event_id="a", request_id="r", ts=NOW_US, deadline="e2e",
                             deadline_ms=1000.0, model="m", region="eu")  # fmt: skip
    view = SignalView([signal], np.ones(1, np.bool_), np.array([HIGH], np.uint64))
    table = count_slo_signals(slo(group_by=("model",)), view)
    assert table is not None
    assert said(table) == [(BAD, {"region": "eu"})]


def test_of_many_at_most_a_few_are_drawn_of_each_row() -> None:
    requests = [(HIGH + n, {"status_code": 500, "model": "mn"[n % 2]}) for n in range(200)]
    table = counted(slo(group_by=("model",)), *requests)
    assert table.drawn is not None
    assert np.bincount(table.drawn.row).tolist() == [MOST_DRAWN, MOST_DRAWN]
    assert int(table.drawn.hashes.max()) == HIGH + 2 * MOST_DRAWN - 1


@given(st.data())
def test_the_lowest_of_the_lowest_of_parts_are_the_lowest_of_all(data: st.DataObject) -> None:
    items = data.draw(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2**64 - 1)),
                               unique_by=lambda item: item[1], max_size=60))  # fmt: skip
    cut = data.draw(st.integers(0, len(items)))
    most = data.draw(st.integers(1, 8))

    def chosen(some: list[tuple[int, int]]) -> list[tuple[int, int]]:
        places = np.array([place for place, _ in some], dtype=np.int32)
        hashes = np.array([drawn for _, drawn in some], dtype=np.uint64)
        return [some[row] for row in lowest(places, hashes, most)]

    assert chosen(chosen(items[cut:]) + chosen(items[:cut])) == chosen(items)
    assert chosen(items) == [
        item
        for place in range(4)
        for item in sorted(item for item in items if item[0] == place)[:most]
    ]


@pytest.mark.parametrize("largest", [2**64, 2**50], ids=["evenly", "all low"])
def test_of_very_many_the_lowest_are_found_without_sorting_all(largest: int) -> None:
    dice = np.random.default_rng(5)
    places = np.sort(dice.integers(0, 50, 20_000)).astype(np.int32)
    hashes = dice.integers(0, largest, 20_000, dtype=np.uint64, endpoint=False)
    # One place of which every hash is high.
    hashes[places == 7] |= np.uint64(2**63 + 2**62)
    found = lowest(places, hashes, 8)
    for place in range(50):
        own = np.sort(hashes[places == place])[:8]
        assert hashes[found[places[found] == place]].tolist() == own.tolist()


def whole() -> CountTable:
    return counted(
        slo(group_by=("model",)),
        *((HIGH + n, {"status_code": 500, "node_id": f"n{n}", "ts_end": NOW_US + n * 10_000_000})
          for n in range(3)),
    )  # fmt: skip


def test_a_part_of_a_table_has_the_requests_of_its_rows() -> None:
    table = whole()
    part = part_of(table, np.array([False, True, True]))
    assert [one["node_id"] for _, one in said(part)] == ["n1", "n2"]
    assert part.drawn is not None
    assert part.drawn.row.tolist() == [0, 1]
    none = part_of(table, np.zeros(3, np.bool_))
    assert none.drawn is None


class OldTable(msgspec.Struct, array_like=True):
    """A table as releases without drawn requests wrote and read it."""

    name: str
    digest: str
    groups: list[list[str]]
    group: bytes
    cells_s: bytes
    columns: dict[str, bytes]
    bins: dict[str, Any]


def test_releases_with_and_without_drawn_requests_read_each_others_tables() -> None:
    (written,) = encoded_tables([whole()])
    old = msgspec.msgpack.decode(msgspec.msgpack.encode(written), type=OldTable)
    assert old.columns == written.columns
    read = msgspec.msgpack.decode(msgspec.msgpack.encode(old), type=WrittenTable)
    (table,) = decoded_tables([read])
    assert table.drawn is None
    assert table.columns["bad"].tolist() == [1, 1, 1]


def test_drawn_requests_survive_writing_and_reading() -> None:
    table = whole()
    raw = msgspec.msgpack.encode(encoded_tables([table]))
    (read,) = decoded_tables(msgspec.msgpack.decode(raw, type=list[WrittenTable]))
    assert said(read) == said(table)
    assert (read.drawn and read.drawn.hashes.tolist()) == (
        table.drawn and table.drawn.hashes.tolist()
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("row", np.array([0, 1, 3], "<i4").tobytes()),
        ("row", np.array([0, -1, 2], "<i4").tobytes()),
        ("hashes", b""),
        ("codes", b"\xff" * 3 * len(dimensions_of(slo(group_by=("model",))))),
        ("codes", b"\x00"),
        ("purposes", b"\x01"),
    ],
)
def test_drawn_requests_that_do_not_fit_are_refused(name: str, value: bytes) -> None:
    (written,) = encoded_tables([whole()])
    assert written.drawn is not None
    setattr(written.drawn, name, value)
    with pytest.raises(ValueError, match=r"fit|reshape|multiple"):
        decoded_tables([written])
