from __future__ import annotations

import pytest

from inferometer.core.fields import FIELD_INDEX
from inferometer.core.slo.dimensions import (
    EVENT_FIELD_OF,
    MANY_VALUED,
    OUTCOMES,
    SLO_DIMENSIONS,
    SPOKEN_NAMES,
)


@pytest.mark.parametrize("name", SLO_DIMENSIONS)
def test_every_dimension_comes_from_a_field_of_the_event(name: str) -> None:
    assert EVENT_FIELD_OF[name] in FIELD_INDEX


def test_no_dimension_is_known_only_from_the_outcome() -> None:
    assert not OUTCOMES & set(SLO_DIMENSIONS)
    assert set(FIELD_INDEX) >= OUTCOMES


def test_what_is_said_of_dimensions_is_said_of_ones_that_exist() -> None:
    assert set(SLO_DIMENSIONS) >= {*MANY_VALUED, *SPOKEN_NAMES.values()}
