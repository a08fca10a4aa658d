from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading

import pytest

from inferometer.runtime import start_up
from inferometer.runtime.start_up import COMPILING, LoadingKernels, keep_memory_small

WITHOUT_PANDAS = """
import sys
from inferometer.runtime.start_up import leave_pandas_out
leave_pandas_out()
import numpy, pyarrow
pyarrow.array([1]), pyarrow.array(numpy.arange(2)), pyarrow.Table.from_pylist([{"a": 1}])
assert "pandas" not in sys.modules, "pandas was imported"
import pandas
assert pandas.Series([1]).sum() == 1
"""
SETTLED = """
from inferometer.runtime.start_up import settle_memory
settle_memory()
settle_memory()
import pyarrow
assert pyarrow.default_memory_pool().backend_name == "system"
"""


def in_a_process(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_arrow_does_without_pandas_and_others_may_still_have_it() -> None:
    in_a_process(WITHOUT_PANDAS)


def test_memory_is_settled_once_and_again() -> None:
    in_a_process(SETTLED)


def test_memory_is_kept_small_until_it_is_told_to_end() -> None:
    async def for_a_while() -> None:
        task = asyncio.create_task(keep_memory_small(0.001))
        await asyncio.sleep(0.01)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()

    asyncio.run(for_a_while())


def test_who_waits_for_a_compilation_is_told_why(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    is_loaded = threading.Event()
    monkeypatch.setattr(start_up, "load_kernels", lambda: is_loaded.wait(60))
    monkeypatch.setattr(start_up, "PATIENCE_S", 0.01)

    def tell(text: str) -> None:
        told.append(text)
        is_loaded.set()

    LoadingKernels().wait(tell)
    assert told == [COMPILING]


def test_who_need_not_wait_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start_up, "load_kernels", lambda: None)
    monkeypatch.setattr(start_up, "PATIENCE_S", 60.0)
    LoadingKernels().wait(lambda text: pytest.fail(text))


def test_kernels_that_do_not_load_are_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("no compiler")

    monkeypatch.setattr(start_up, "load_kernels", fail)
    with pytest.raises(RuntimeError, match="no compiler"):
        LoadingKernels().wait(lambda _: None)
