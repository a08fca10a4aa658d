"""When a change counts as a regression, and what is compared with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.benchmarks.check import MAX_REGRESSION, Pair, keep_baseline
from tests.benchmarks.other_commit import short_name

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("these", "is_regression"),
    [
        pytest.param([84.0, 80.0, 300.0], True, id="the median is a sixth lower"),
        pytest.param([86.0, 10.0, 90.0], False, id="one bad run among good ones"),
        pytest.param([150.0, 150.0, 150.0], False, id="faster"),
    ],
)
def test_medians_decide_what_is_a_regression(these: list[float], is_regression: bool) -> None:
    pair = Pair("full", base=[100.0, 100.0, 40.0], these=these)
    assert pair.is_regression(MAX_REGRESSION) is is_regression


def test_the_baseline_keeps_single_runs(tmp_path: Path) -> None:
    path = tmp_path / "results" / "baseline.json"
    keep_baseline(path, "abc1234", [Pair("full", [100.0, 90.0], [120.0, 95.0])], {"cores": "2"})
    found = json.loads(path.read_text())
    assert found["base"] == "abc1234"
    assert found["events_per_cpu_s"]["full"] == {
        "base": 95, "these": 108, "change": 0.1316, "base_runs": [100, 90], "these_runs": [120, 95],
    }  # fmt: skip


def test_an_unknown_commit_is_named() -> None:
    with pytest.raises(ValueError, match="no-such-commit"):
        short_name("no-such-commit")
