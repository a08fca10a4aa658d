"""A thread that watches goes on whatever it meets, and ends when it is told."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from inferometer.runtime.ticker import Ticker

if TYPE_CHECKING:
    import pytest

WAIT_S = 60.0


def test_it_begins_at_once_and_ends_in_the_same_thread() -> None:
    ticked = threading.Event()
    threads: list[int] = []

    def tick() -> None:
        threads.append(threading.get_ident())
        ticked.set()

    with Ticker("test", 3600.0, tick, end=lambda: threads.append(threading.get_ident())):
        assert ticked.wait(WAIT_S)
    assert len(threads) == 2
    assert len(set(threads)) == 1


def test_what_fails_once_is_logged_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    again = threading.Event()
    calls: list[int] = []

    def tick() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("unexpected")
        again.set()

    with Ticker("test", 0.001, tick):
        assert again.wait(WAIT_S)
    assert "watching test failed" in caplog.text
    assert "unexpected" in caplog.text
