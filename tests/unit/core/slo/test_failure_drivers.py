"""Which values are told: a clear share of what is bad, and more than their part of the traffic."""

from __future__ import annotations

import random

import pytest

from inferometer.core.slo.failure_drivers import FEWEST_KNOWN, failure_drivers

NODES = ["n1", "n2", "n3", "n4"]
EVEN = NODES * 10


def drivers(
    bad: dict[str, list[str]], traffic: dict[str, list[str]] | None = None
) -> list[tuple[str, str, float]]:
    usual = {name: (traffic or {}).get(name, []) for name in bad}
    found = failure_drivers(list(bad), list(bad.values()), list(usual.values()))
    return [(each.dimension, each.value, each.share) for each in found]


@pytest.mark.parametrize(
    ("bad", "traffic", "told"),
    [
        pytest.param(["n2"] * 19 + ["n1"], EVEN, [("node_id", "n2", 0.95)], id="one node fails"),
        pytest.param(EVEN, EVEN, [], id="all fail alike"),
        pytest.param(["n1"] * 20, ["n1"] * 20, [], id="there is only one"),
        pytest.param(["n1"] * 18 + ["n2"] * 2, ["n1"] * 27 + ["n2"] * 3, [],
                     id="it fails as much as it serves"),
        pytest.param(["n1"] * 11 + ["n2"] * 9, ["n1"] * 12 + ["n2"] * 12, [],
                     id="half of two is chance"),
        pytest.param(["n2"] * 18 + ["n1"] * 22, EVEN, [("node_id", "n1", 0.55)],
                     id="two of four: the one with most"),
        pytest.param(["n1"] * 22 + ["n2"] * 18, ["n1"] * 36 + ["n2"] * 4, [],
                     id="most on the node that serves most, so others stand out"),
        pytest.param(["n2"] * 20, EVEN[: FEWEST_KNOWN - 1], [], id="traffic is not known"),
        pytest.param(["n9"] * 20, EVEN, [("node_id", "n9", 1.0)], id="a node that is new"),
        pytest.param([""] * 20, EVEN, [], id="no node is known"),
        pytest.param(["n2"] * 9 + [""] * 11, EVEN, [], id="of most no node is known"),
        pytest.param(["n2"] * 2, EVEN, [], id="two failures say little"),
        pytest.param([], EVEN, [], id="nothing is bad"),
    ],
)  # fmt: skip
def test_a_place_is_told_where_traffic_does_not_explain_it(
    bad: list[str], traffic: list[str], told: list[tuple[str, str, float]]
) -> None:
    assert drivers({"node_id": bad}, {"node_id": traffic}) == told


@pytest.mark.parametrize(
    ("types", "statuses", "told"),
    [
        pytest.param(["timeout"] * 12 + ["oom"] * 8, ["503"] * 20, [("error_type", "timeout", 0.6)],
                     id="the type says it"),
        pytest.param([""] * 20, ["503"] * 20, [("status_code", "503", 1.0)],
                     id="without a type the status"),
        pytest.param(["a", "b", "c", "d"] * 5, ["500", "502", "503", "504"] * 5, [], id="neither"),
        pytest.param(["timeout"] * 2, ["503"] * 2, [], id="two failures say little"),
    ],
)  # fmt: skip
def test_how_requests_failed_needs_no_traffic_to_compare_with(
    types: list[str], statuses: list[str], told: list[tuple[str, str, float]]
) -> None:
    assert drivers({"error_type": types, "status_code": statuses}) == told


def test_the_narrowest_place_comes_first_and_three_are_enough() -> None:
    bad = {"error_type": ["timeout"] * 20, "model": ["m"] * 20, "region": ["eu"] * 20,
           "node_id": ["n2"] * 20}  # fmt: skip
    traffic = {"model": ["m", "o", "p"] * 10, "region": ["eu", "us"] * 15, "node_id": EVEN}
    assert drivers(bad, traffic) == [
        ("error_type", "timeout", 1.0), ("node_id", "n2", 1.0), ("model", "m", 1.0),
    ]  # fmt: skip


def test_the_order_of_requests_changes_nothing() -> None:
    bad = ["n2"] * 20 + ["n1"] * 20
    chance = random.Random(1)
    found = set()
    for _ in range(20):
        chance.shuffle(bad)
        found.add(tuple(drivers({"node_id": bad}, {"node_id": EVEN})))
    assert found == {(("node_id", "n1", 0.5),)}
