"""Names of dimensions, and which relation has them."""

from __future__ import annotations

import pytest

from inferometer.core.cubes import CUBES
from inferometer.core.query.dimensions import (
    DIMENSIONS,
    DimensionKind,
    UnknownDimensionError,
    dimension_of,
    metadata_key,
)


def test_every_dimension_of_a_cube_can_be_asked_for() -> None:
    for cube in CUBES:
        for dimension in cube.dimensions:
            assert cube.name in dimension_of(dimension.name).cubes


def test_both_cubes_know_the_status_class() -> None:
    assert dimension_of("status_class").relations == ("service", "usage", "requests")
    assert dimension_of("status_code").relations == ("service", "requests")


def test_a_dimension_of_the_log_is_in_no_cube() -> None:
    assert dimension_of("feature").relations == ("requests",)
    assert dimension_of("stream").kind is DimensionKind.FLAG


def test_a_metadata_key_is_a_dimension() -> None:
    found = dimension_of("metadata.tenant.name")
    assert (found.kind, found.column, found.label) == (
        DimensionKind.METADATA,
        "tenant.name",
        "tenant.name",
    )
    assert metadata_key(found.name) == "tenant.name"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("user", "did you mean user_id?"),
        ("Model", "did you mean model?"),
        ("modle", "did you mean model?"),
        ("xyz", "metadata.<key>"),
        ("metadata.", "1 to 128 characters"),
        ("metadata." + "k" * 129, "1 to 128 characters"),
        ("team_ids", "did you mean team_id?"),
    ],
)
def test_an_unknown_name_is_answered_with_what_to_write(name: str, says: str) -> None:
    with pytest.raises(UnknownDimensionError) as caught:
        dimension_of(name)
    assert says in str(caught.value)


def test_every_dimension_is_named_once_and_explained() -> None:
    assert len({dimension.name for dimension in DIMENSIONS}) == len(DIMENSIONS)
    assert all(dimension.definition.endswith(".") for dimension in DIMENSIONS)
