from __future__ import annotations

import re

import pytest

from inferometer.core.cubes import (
    CLASS_MEASURES,
    CUBES,
    MEASURES,
    SERVICE,
    SKETCHES,
    USAGE,
    Cube,
    Dimension,
    DimensionKind,
    Resolution,
    row_columns,
    rows_table,
)
from inferometer.core.events import STATUS_CLASSES, InferenceRequest
from inferometer.schemas import schema_path

TABLES = [(cube, resolution) for cube in CUBES for resolution in cube.resolutions]
DDL = "".join(
    schema_path("clickhouse").joinpath(name).read_text(encoding="utf-8")
    for name in ("0002_service_rows.sql", "0003_usage_rows.sql")
)


def _body(table: str) -> str:
    statement = next(s for s in DDL.split(";\n") if f"IF NOT EXISTS {table}" in s)
    model = re.search(r"EXISTS \w+ AS (\w+)", statement)
    return _body(model[1]) if model else statement


def _column_type(name: str, dimension: Dimension | None) -> str:
    if name == "window_start":
        return "DateTime('UTC')"
    if dimension is not None:
        is_code = dimension.kind is DimensionKind.CODE
        return "LowCardinality(String)" if is_code else "UInt16"
    if name.endswith("_bins"):
        return "SimpleAggregateFunction(sumMap, Map(Int16, UInt64))"
    return f"SimpleAggregateFunction(sum, {'Decimal(38, 12)' if name == 'cost_usd' else 'UInt64'})"


@pytest.mark.parametrize(("cube", "resolution"), TABLES)
def test_a_table_has_the_columns_of_its_cube_in_order(cube: Cube, resolution: Resolution) -> None:
    columns = re.findall(r"^    (\w+) (.+?),?$", _body(rows_table(cube, resolution)), re.MULTILINE)
    typed = [(name, kind.partition(" CODEC")[0]) for name, kind in columns]
    declared = [(n, t) for n, t in typed if n.islower() and not t.startswith("=")]
    dimensions = {dimension.name: dimension for dimension in cube.dimensions}
    expected = [(name, _column_type(name, dimensions.get(name))) for name in row_columns(cube)]
    assert declared[: len(expected)] == expected


@pytest.mark.parametrize(("cube", "resolution"), TABLES)
def test_rows_are_summed_under_the_window_and_every_dimension(
    cube: Cube, resolution: Resolution
) -> None:
    table = rows_table(cube, resolution)
    statement = next(s for s in DDL.split(";\n") if f"IF NOT EXISTS {table}" in s)
    found = re.search(r"ORDER BY \(([^)]*)\)", statement)
    assert found is not None
    key = {name.strip() for name in found[1].split(",")}
    assert key == {"window_start", *(dimension.name for dimension in cube.dimensions)}


def test_every_status_class_has_a_measure() -> None:
    assert tuple(CLASS_MEASURES) == STATUS_CLASSES
    assert set(CLASS_MEASURES.values()) <= set(MEASURES)


def test_names_of_columns_are_distinct() -> None:
    for cube in CUBES:
        assert len(set(row_columns(cube))) == len(row_columns(cube))


def test_dimensions_are_fields_of_the_event_or_the_billed_team() -> None:
    for dimension in SERVICE.dimensions + USAGE.dimensions:
        assert dimension.name in InferenceRequest.model_fields or dimension.name == "team_id"


def test_the_usage_cube_starts_at_one_minute() -> None:
    assert [resolution.seconds for resolution in SERVICE.resolutions] == [10, 60, 3600]
    assert [resolution.seconds for resolution in USAGE.resolutions] == [60, 3600]


def test_every_sketch_has_its_mean_too() -> None:
    for sketch in SKETCHES:
        assert {f"{sketch}_us_sum", f"{sketch}_count", f"{sketch}_bins"} <= set(MEASURES)
