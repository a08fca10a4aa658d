"""What counts for coverage, and what does not."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING

from tests.tracing import FOLLOWED, UNTRACED, untraced

if TYPE_CHECKING:
    from types import FrameType

    import pytest


def test_what_is_left_out_is_there() -> None:
    assert [path for path in UNTRACED if not path.exists()] == []


def test_nothing_is_traced_meanwhile_and_all_is_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    traced: list[str] = []

    def trace(frame: FrameType, _event: str, _argument: object) -> None:
        traced.append(frame.f_code.co_name)

    def work() -> str | None:
        return os.environ.get(FOLLOWED)

    def work_in_a_thread() -> None:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    monkeypatch.setenv(FOLLOWED, "settings")
    here, new_threads = sys.gettrace(), threading.gettrace()
    sys.settrace(trace)
    threading.settrace(trace)
    try:
        with untraced():
            assert work() is None
            work_in_a_thread()
        assert "work" not in traced
        assert work() == "settings"
        work_in_a_thread()
    finally:
        sys.settrace(here)
        threading.settrace(new_threads)
    assert traced.count("work") == 2
