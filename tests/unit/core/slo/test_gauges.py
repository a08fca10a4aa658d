"""Samples of gauges: what a cell adds up to, and what stands at a tick."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core import codec
from inferometer.core.slo.counting import MeasureCount
from inferometer.core.slo.gauge_counting import GaugeView, count_gauges
from inferometer.core.slo.gauge_window import GaugeWindow
from inferometer.errors import DecodeError

START_S = 1_767_571_200
FIELDS = {"event_id": "g-1", "ts": START_S * 1_000_000, "gauge": "gpu_utilisation", "value": 0.5}

CELLS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 100), st.integers(1, 3)), min_size=1, max_size=20
)


@given(CELLS, st.randoms())
def test_the_order_of_samples_changes_nothing(cells, chance) -> None:  # type: ignore[no-untyped-def]
    shuffled = list(cells)
    chance.shuffle(shuffled)
    windows = GaugeWindow(), GaugeWindow()
    for window, rows in zip(windows, (cells, shuffled), strict=True):
        for cell, total, count in rows:
            window.add("enqueued_tokens", START_S + 10 * cell, total, count)
    newest = max(cell for cell, _, _ in cells)
    of_newest = [(total, count) for cell, total, count in cells if cell == newest]
    mean = sum(total for total, _ in of_newest) / sum(count for _, count in of_newest)
    for window in windows:
        assert window.value("enqueued_tokens", START_S + 60, 300) == pytest.approx(mean)


def test_a_value_stands_for_the_window_and_no_longer() -> None:
    window = GaugeWindow()
    window.add("enqueued_tokens", START_S, 7, 1)
    assert window.value("enqueued_tokens", START_S + 10, 300) == 7
    assert window.value("enqueued_tokens", START_S + 300, 300) == 7
    assert math.isnan(window.value("enqueued_tokens", START_S + 310, 300))
    assert math.isnan(window.value("gpu_utilisation", START_S + 10, 300))


def test_samples_are_averaged_by_group_and_cell() -> None:
    samples = [
        codec.sample_of(
            FIELDS | {"value": value, "model": model, "ts": (START_S + at_s) * 1_000_000}
        )
        for value, model, at_s in [(0.25, "a", 1), (0.75, "a", 9), (1.0, "b", 2), (0.9, "a", 11)]
    ]
    other = codec.sample_of(FIELDS | {"gauge": "enqueued_tokens", "value": 5})
    wanted = MeasureCount(
        workspace="", service="", name="gpu-idle", needs=("gpu_utilisation",), group_by=("model",)
    )
    table = count_gauges(wanted, GaugeView([*samples, other]))
    found = {
        (table.groups[group], cell_s - START_S): (total, count)
        for group, cell_s, total, count in zip(
            table.group.tolist(),
            table.cells_s.tolist(),
            table.columns["gpu_utilisation_sum"].tolist(),
            table.columns["gpu_utilisation_samples"].tolist(),
            strict=True,
        )
    }
    assert found == {
        (("a",), 0): (1_000_000, 2),
        (("b",), 0): (1_000_000, 1),
        (("a",), 10): (900_000, 1),
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"value": -1},
        {"value": float("nan")},
        {"value": 1e16},
        {"gauge": "temperature"},
        {"ts": "x"},
    ],
)
def test_a_sample_that_means_nothing_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(DecodeError):
        codec.sample_of(FIELDS | wrong)


def test_kind_tells_samples_from_signals() -> None:
    sample = codec.sample_of(FIELDS)
    assert codec.decode_signal_or_sample(codec.encode_signal(sample)) == sample
    assert b'"kind":"gauge"' in codec.encode_signal(sample)
