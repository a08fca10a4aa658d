from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.conservation import GroupDifference
from inferometer.core.cubes import COST_MEASURE, MEASURES, SERVICE, row_columns
from inferometer.core.deltas import content_digest, delta_table, signed_deltas

BINS = st.dictionaries(st.integers(-1, 4000), st.integers(1, 2**40), max_size=5)
COUNTS = st.integers(0, 2**63)
MONEY = st.integers(0, 10**20).map(lambda pico: Decimal(pico).scaleb(-12))


def sides(values: dict[str, Any]) -> dict[str, Any]:
    base: dict[str, Any] = {name: {} if name.endswith("_bins") else 0 for name in MEASURES}
    return base | values


def difference(expected: dict[str, Any], found: dict[str, Any]) -> GroupDifference:
    group = {d.name: 200 if d.name == "status_code" else "x" for d in SERVICE.dimensions}
    return GroupDifference(3600, group, sides(expected), sides(found))


@given(COUNTS, COUNTS, MONEY, MONEY, BINS, BINS)
def test_what_was_found_and_its_delta_sum_to_what_was_expected(
    count: int, was: int, cost: Decimal, cost_was: Decimal, bins: dict[int, int],
    bins_were: dict[int, int],
) -> None:  # fmt: skip
    group = difference(
        {"attempts": count, COST_MEASURE: cost, "e2e_bins": bins},
        {"attempts": was, COST_MEASURE: cost_was, "e2e_bins": bins_were},
    )
    [row] = delta_table(SERVICE, [group]).to_pylist()
    assert (was + row["attempts"]) % 2**64 == count
    assert cost_was + row[COST_MEASURE] == cost
    summed = {
        index: (bins_were.get(index, 0) + dict(row["e2e_bins"]).get(index, 0)) % 2**64
        for index in {*bins, *bins_were}
    }
    assert {index: n for index, n in summed.items() if n} == bins
    assert row["requests"] == 0
    assert row["ttft_bins"] == []


def test_a_delta_row_has_every_column_of_the_table() -> None:
    assert set(delta_table(SERVICE, [difference({}, {})]).column_names) == set(row_columns(SERVICE))


def test_deltas_are_told_with_their_sign_and_bin_by_bin() -> None:
    group = difference({"attempts": 1, "e2e_bins": {7: 2}}, {"attempts": 3, "e2e_bins": {9: 1}})
    assert signed_deltas(group) == {
        "attempts": "-2", "e2e_bins[7]": "2", "e2e_bins[9]": "-1",
    }  # fmt: skip


def test_the_digest_knows_content_and_no_order() -> None:
    a, b = difference({"attempts": 1}, {}), difference({"attempts": 2}, {})
    assert content_digest("t", [a, b]) == content_digest("t", [b, a])
    assert content_digest("t", [a]) != content_digest("t", [b])
    assert content_digest("t", [a]) != content_digest("u", [a])
