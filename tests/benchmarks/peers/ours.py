"""Contestants: ours, whole and in parts."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.contestants import Contestant, always_available
from tests.benchmarks.environments import REPOSITORY, run_install
from tests.benchmarks.pinning import all_but_measured, pinned
from tests.faults.services import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.contestants import Place

_PROGRAM = Path(__file__).with_name("ours_program.py")
_STORE_URL = "store-url"
_EXACT = "exactly once: nothing lost, nothing doubled"
_KEPT = "kept: lands in its window, whatever its age inside retention"
_DEFAULTS = "defaults of the worker; embedded store in the same process"
_ALL_CUBES = (
    "decodes, checks, deduplicates, prices; raw log, two cubes (three and two resolutions, each with "
    "the sketches of the durations that the events carry), ledger, intents"
)
_ONE_CUBE = "the same with one cube (service) at 10 s"


def _command(store: str, cubes: str, place: Place) -> list[str]:
    given = {
        "bootstrap_servers": place.bootstrap_servers,
        "topic": place.topic,
        "group": place.group,
        "run_epoch": place.run_epoch,
        "events": place.events,
        "warm_up": place.warm_up,
        "until": place.until,
        "folder": str(place.folder / "store"),
        "store": store if store != "server" else (place.folder / _STORE_URL).read_text(),
        "cubes": cubes,
    }
    return [sys.executable, str(_PROGRAM), json.dumps(given)]


@contextmanager
def _dev_store(place: Place) -> Iterator[int]:
    store = Store(place.folder / "server")
    with pinned(all_but_measured()):
        store.start()
    try:
        (place.folder / _STORE_URL).write_text(store.url)
        assert store._process is not None
        yield store._process.pid
    finally:
        store.kill()


@cache
def _warm_kernels() -> None:
    """Compile the kernels, which the first run would else do while it is timed by its patience."""
    run_install([sys.executable, "-m", "tests.warm_kernels"], cwd=REPOSITORY)


def _numba_cache(_place: Place) -> dict[str, str]:
    return {"NUMBA_CACHE_DIR": os.environ["NUMBA_CACHE_DIR"]}


_whole = partial(
    Contestant,
    kind="ours",
    guarantee=_EXACT,
    late_data=_KEPT,
    unavailable=always_available,
    prepare=lambda _installed: _warm_kernels(),
    environ=_numba_cache,
    is_stored=True,
)

CONTESTANTS = (
    _whole(
        name="ours",
        title="Inferometer, whole",
        work=f"{_ALL_CUBES}; stored, the store's CPU and merges included",
        settings=_DEFAULTS,
        command=partial(_command, "embedded", "all"),
        shapes=("lean", "full"),
    ),
    _whole(
        name="ours_ndjson",
        title="Inferometer, whole, 500 events a record as lines",
        work=f"{_ALL_CUBES}; stored, the store's CPU and merges included",
        settings=f"{_DEFAULTS}; records as the SDK sends them by default",
        command=partial(_command, "embedded", "all"),
        shapes=("full",),
        content="ndjson",
    ),
    _whole(
        name="ours_arrow",
        title="Inferometer, whole, 500 events a record as Arrow columns",
        work=f"{_ALL_CUBES}; stored, the store's CPU and merges included",
        settings=f"{_DEFAULTS}; zstd by Kafka's batches, as the SDK sends them",
        command=partial(_command, "embedded", "all"),
        shapes=("full",),
        content="arrow",
    ),
    _whole(
        name="ours_arrow_worker",
        title="Inferometer, worker alone, Arrow columns",
        work=f"{_ALL_CUBES}; stored by a server whose CPU is left out",
        settings="defaults of the worker; `inferometer dev store` on the other cores",
        command=partial(_command, "server", "all"),
        shapes=("full",),
        content="arrow",
        beside=_dev_store,
    ),
    _whole(
        name="ours_one_cube",
        title="Inferometer, whole, one cube",
        work=f"{_ONE_CUBE}; stored, the store's CPU and merges included",
        settings=f"{_DEFAULTS}; cubes chosen in code, no setting does that",
        command=partial(_command, "embedded", "one"),
    ),
    _whole(
        name="ours_worker",
        title="Inferometer, worker alone",
        work=f"{_ALL_CUBES}; stored by a server whose CPU is left out",
        settings="defaults of the worker; `inferometer dev store` on the other cores",
        command=partial(_command, "server", "all"),
        shapes=("lean", "full"),
        beside=_dev_store,
    ),
    _whole(
        name="ours_in_memory",
        title="Inferometer, in memory",
        work=f"{_ALL_CUBES}; made as Arrow tables and dropped, nothing stored",
        guarantee="none: its store forgets",
        settings="defaults of the worker; a store that keeps nothing",
        command=partial(_command, "none", "all"),
        shapes=("lean", "full"),
        is_stored=False,
    ),
)
