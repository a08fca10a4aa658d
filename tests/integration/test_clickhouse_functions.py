from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.migrations import migrate
from inferometer.clickhouse.settings import StoreSettings
from inferometer.core.bins import MAX_BIN, ZERO_BIN, bin_middle_us, bin_of_us, quantile_ms
from inferometer.core.events import status_class

if TYPE_CHECKING:
    from collections.abc import Iterator

SKETCHES = st.dictionaries(
    st.integers(ZERO_BIN, MAX_BIN), st.integers(1, 10**9), min_size=0, max_size=20
)


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreConnection]:
    with StoreConnection(StoreSettings(data_dir=tmp_path_factory.mktemp("functions"))) as opened:
        migrate(opened, report=lambda _: None)
        yield opened


def ask(connection: StoreConnection, expression: str) -> Any:
    return connection.reader().query(f"SELECT {expression}").result_rows[0][0]


def literal(bins: dict[int, int]) -> str:
    pairs = ", ".join(f"{index}, {count}" for index, count in bins.items())
    # Through a row of a table, so that nothing is folded into a constant.
    return f"materialize(CAST(map({pairs}), 'Map(Int16, UInt64)'))"


@settings(max_examples=150, deadline=None)
@given(bins=SKETCHES, q=st.one_of(st.sampled_from([0.0, 0.5, 0.99, 1.0]), st.floats(0, 1)))
def test_quantiles_are_those_of_the_python_sketch(
    connection: StoreConnection, bins: dict[int, int], q: float
) -> None:
    found = ask(connection, f"quantile_ms({literal(bins)}, toFloat64({q!r}))")
    wanted = quantile_ms(bins, q)
    if wanted is None or wanted == 0:
        assert found == wanted
    else:
        assert math.isclose(found, wanted, rel_tol=1e-12)


@settings(max_examples=50, deadline=None)
@given(
    values=st.lists(st.integers(0, 10**8), min_size=1, max_size=30),
    limit=st.integers(0, 10**8),
)
def test_the_share_below_misses_no_value_and_adds_only_those_within_a_bin(
    connection: StoreConnection, values: list[int], limit: int
) -> None:
    bins: dict[int, int] = {}
    for value in values:
        bins[bin_of_us(value)] = bins.get(bin_of_us(value), 0) + 1
    found = ask(connection, f"share_below({literal(bins)}, {limit / 1000!r})") * len(values)
    assert found >= sum(value <= limit for value in values) - 1e-9
    assert found <= sum(value <= limit * 1.0101 + 1e-6 for value in values) + 1e-9


def test_bins_that_stand_in_no_order_give_the_same_quantile(connection: StoreConnection) -> None:
    forwards, backwards = {-1: 1, 5: 2, 900: 7}, {900: 7, 5: 2, -1: 1}
    for q in (0.05, 0.2, 0.3, 0.9):
        expressions = [f"quantile_ms({literal(bins)}, {q})" for bins in (forwards, backwards)]
        assert ask(connection, expressions[0]) == ask(connection, expressions[1])


def test_every_bin_has_the_middle_of_the_python_sketch(connection: StoreConnection) -> None:
    found = ask(
        connection, f"groupArray(bin_middle_ms(toInt16(number - 1))) FROM numbers({MAX_BIN + 2})"
    )
    wanted = [bin_middle_us(index) / 1000 for index in range(-1, MAX_BIN + 1)]
    assert found == pytest.approx(wanted, rel=1e-12)


def test_an_empty_sketch_has_no_quantile_no_share_and_no_values(
    connection: StoreConnection,
) -> None:
    empty = literal({})
    assert ask(connection, f"quantile_ms({empty}, 0.5)") is None
    assert ask(connection, f"share_below({empty}, 5)") is None
    assert ask(connection, f"bins_count({empty})") == 0
    assert ask(connection, "success_ratio(0, 0)") is None


@pytest.mark.parametrize(
    ("ms", "share"), [(-1, 0), (0, 0.25), (0.0005, 0.25), (0.001, 0.5), (1, 0.75), (10**6, 1)]
)
def test_zero_has_a_bin_of_its_own(connection: StoreConnection, ms: float, share: float) -> None:
    bins = {ZERO_BIN: 1, bin_of_us(1): 1, bin_of_us(1000): 1, bin_of_us(10**9): 1}
    assert ask(connection, f"share_below({literal(bins)}, {ms})") == share


def test_status_classes_are_those_of_the_contract(connection: StoreConnection) -> None:
    found = ask(connection, "groupArray(status_class_of(toUInt16(number))) FROM numbers(1000)")
    assert found == [status_class(code) for code in range(1000)]
