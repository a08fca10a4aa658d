"""Benches: one that tests only read from, and one for each test that changes something."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.web.api.asking import asking

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.web.api.asking import Bench


@pytest.fixture
def bench() -> Iterator[Bench]:
    with asking() as made:
        yield made


@pytest.fixture(scope="package")
def filled() -> Iterator[Bench]:
    with asking() as made:
        yield made
