"""Figures come from the results into the package's data file, and nothing else of it changes."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING

import pytest

from inferometer.core.unit_costs import costs_of, read_figures
from tests.benchmarks import unit_costs
from tests.benchmarks.unit_costs import Measured

if TYPE_CHECKING:
    from pathlib import Path

TEXT = unit_costs.DATA.read_text(encoding="utf-8")


def keep(folder: Path, name: str, facts: dict[str, object]) -> None:
    document = {"conditions": {"date": "2031-02-03"}, "tables": [{"facts": facts}]}
    (folder / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")


def test_what_was_measured_is_put_in_with_its_day(tmp_path: Path) -> None:
    keep(tmp_path, "disk", {"requests": 61.234, "service_10s_rows": 612.0, "usage_1m_rows": 81.5})
    keep(tmp_path, "memory", {"fullest": {"resident": 700.0 * 2**20, "hashes": 160.0 * 2**20}})
    keep(
        tmp_path,
        "scaling",
        {
            "worker_event_us": 4.5678, "store_us": 8.0, "wire_bytes": 401.0,
            "broker_event_us": 1.25, "worker_chunk_ms": 12.0, "store_chunk_ms": 30.0,
            "worker_efficiency": 0.97,
        },
    )  # fmt: skip
    text = TEXT
    for (name, key), found in unit_costs.measured(tmp_path).items():
        text = unit_costs.changed(text, name, key, found)
    figures = read_figures(tomllib.loads(text))
    costs = costs_of(figures, "full")
    assert costs.log_row_bytes == 61.2
    assert costs.worker_memory_mib == 540.0
    assert costs.worker_event_us == 4.57
    assert costs.store_event_us == costs.store_merge_event_us == 4.0
    dates = {figure.name: figure.date for figure in figures}
    assert dates["worker_chunk_ms"] == "2031-02-03"
    assert dates["token_window"] != "2031-02-03"
    sources = {figure.name: figure.source for figure in figures}
    assert sources["worker_event_us"] == "python -m tests.benchmarks.scaling"


def test_without_results_nothing_changes(tmp_path: Path) -> None:
    assert unit_costs.measured(tmp_path) == {}


def test_a_figure_that_is_not_there_is_an_error() -> None:
    with pytest.raises(LookupError, match="bananas"):
        unit_costs.changed(TEXT, "bananas", "value", Measured(1.0, "2031-02-03", "s"))


def test_a_value_that_is_written_again_changes_nothing() -> None:
    (figure,) = (f for f in read_figures(tomllib.loads(TEXT)) if f.name == "token_window")
    same = Measured(figure.values["full"], figure.date, figure.source)
    again = unit_costs.changed(TEXT, "token_window", "value", same)
    assert tomllib.loads(again) == tomllib.loads(TEXT)
