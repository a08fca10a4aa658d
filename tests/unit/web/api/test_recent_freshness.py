"""Freshness is asked of the store once a second; everything else each time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from inferometer.errors import StoreError
from inferometer.testing.query_store import MemoryQueryStore
from inferometer.web.api.recent_freshness import RecentFreshness
from tests.unit.web.api.asking import NOW, WATERMARK

if TYPE_CHECKING:
    from inferometer.core.query.answers import Freshness


class CountingStore(MemoryQueryStore):
    def __init__(self) -> None:
        super().__init__(watermark=WATERMARK)
        self.count = 0

    def freshness(self) -> Freshness:
        self.count += 1
        return super().freshness()


@dataclass
class Clock:
    s: float = 5.0

    def __call__(self) -> float:
        return self.s


@pytest.mark.parametrize(("after_s", "asked"), [(0, 1), (0.9, 1), (1, 2)])
def test_it_is_asked_again_when_it_is_a_second_old(after_s: float, asked: int) -> None:
    store, clock = CountingStore(), Clock()
    recent = RecentFreshness(store, clock)
    for at_s in (clock.s, clock.s + after_s):
        clock.s = at_s
        assert recent.freshness().watermark == WATERMARK
    assert store.count == asked


def test_a_failure_is_not_kept() -> None:
    store = CountingStore()
    recent = RecentFreshness(store, Clock())
    store.fail_next(StoreError("away", retryable=True))
    with pytest.raises(StoreError):
        recent.freshness()
    assert recent.freshness().watermark == WATERMARK


def test_everything_else_is_asked_of_the_store() -> None:
    store = CountingStore()
    store.price_rows = [{"model": "m"}]
    assert RecentFreshness(store, Clock()).prices(NOW) == [{"model": "m"}]
