"""Which tests count for coverage: tracing takes as long as what is traced, or longer.

Left out are tests of the whole that run for long, and those that kill their processes, which then
write down nothing: the lines that they run are counted where a folder tests them by themselves.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

TESTS = Path(__file__).parent
UNTRACED = tuple(
    TESTS / name
    for name in (
        "browser",
        "e2e/test_demo_outage.py",
        "faults",
        "incidents",
        "integration/test_alerts_killed.py",
        "integration/test_incidents_through_kafka.py",
        "integration/test_redrive_killed.py",
        "integration/test_sdk_counted_once.py",
        "model",
        "unit/test_second_try.py",
    )
)
FOLLOWED = "COVERAGE_PROCESS_CONFIG"
"""The variable by which coverage follows processes."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run a test that does not count untraced, with its fixtures and its processes."""
    if not any(item.path.is_relative_to(path) for path in UNTRACED):
        return (yield)
    with untraced():
        return (yield)


@contextlib.contextmanager
def untraced() -> Iterator[None]:
    """Trace nothing meanwhile: this thread, and the threads and processes that start here."""
    followed = os.environ.pop(FOLLOWED, None)
    # Coverage's own `stop` and `start` would warn of all that is imported already.
    here, new_threads = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)
    try:
        yield
    finally:
        threading.settrace(new_threads)
        sys.settrace(here)
        if followed is not None:
            os.environ[FOLLOWED] = followed
