from __future__ import annotations

import pytest

from inferometer.errors import StateError
from inferometer.schemas import schema_path


def test_a_checkout_finds_its_own_schemas() -> None:
    assert schema_path("clickhouse").joinpath("0001_requests.sql").is_file()


def test_a_schema_that_is_not_installed_says_so() -> None:
    with pytest.raises(StateError, match=r"schemas/nothing\.json is not part of this installation"):
        schema_path("nothing.json")
