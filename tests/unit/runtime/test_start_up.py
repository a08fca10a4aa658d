from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys

from inferometer.runtime.start_up import keep_memory_small

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
