"""Unit costs are whole, say where they come from, and have a value for each shape of event."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from inferometer.core.unit_costs import SHAPES, UnitCosts, costs_of, read_figures
from inferometer.errors import StateError

ORIGIN = {"unit": "us", "what": "w", "source": "s", "date": "2026-01-01"}


def document(**changed: dict[str, Any]) -> dict[str, Any]:
    whole = {field.name: {"value": 1.0, **ORIGIN} for field in fields(UnitCosts)}
    return whole | {name: {**ORIGIN, **values} for name, values in changed.items()}


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"value": 3}, {"full": 3.0, "lean": 3.0, "arrow": 3.0}),
        ({"full": 3, "lean": 2}, {"full": 3.0, "lean": 2.0, "arrow": 3.0}),
        ({"full": 3, "lean": 2, "arrow": 1}, {"full": 3.0, "lean": 2.0, "arrow": 1.0}),
        ({"value": 3, "lean": 2}, {"full": 3.0, "lean": 2.0, "arrow": 3.0}),
    ],
)
def test_a_shape_without_a_value_has_that_of_the_full_event(
    entry: dict[str, float], expected: dict[str, float]
) -> None:
    figures = read_figures(document(wire_bytes=entry))
    assert {shape: costs_of(figures, shape).wire_bytes for shape in SHAPES} == expected


def test_a_missing_figure_is_named() -> None:
    given = document()
    del given["wire_bytes"]
    with pytest.raises(StateError, match="wire_bytes"):
        read_figures(given)


def test_a_figure_that_nothing_uses_is_named() -> None:
    with pytest.raises(StateError, match="bananas"):
        read_figures(document(bananas={"value": 1}))


@pytest.mark.parametrize("key", ["unit", "what", "source", "date"])
def test_a_figure_without_its_origin_is_refused(key: str) -> None:
    given = document()
    del given["wire_bytes"][key]
    with pytest.raises(StateError, match="wire_bytes"):
        read_figures(given)


@pytest.mark.parametrize("entry", [{}, {"value": "much"}, {"lean": 1}])
def test_a_figure_without_a_number_is_refused(entry: dict[str, Any]) -> None:
    with pytest.raises(StateError, match="wire_bytes"):
        read_figures(document(wire_bytes=entry))
