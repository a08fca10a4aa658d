"""Contestants: Bytewax with `fold_window`, waiting 60 s and 5 s for late events."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.contestants import Contestant, always_available
from tests.benchmarks.environments import install_python, python_of, python_versions

if TYPE_CHECKING:
    from tests.benchmarks.contestants import Place

_PROGRAM = Path(__file__).with_name("bytewax_program.py")
_REQUIREMENTS = ("bytewax[kafka]==0.21.1", "orjson==3.13.0")


def _command(wait_s: int, place: Place) -> list[str]:
    return [
        python_of(place.installed), str(_PROGRAM), place.bootstrap_servers, place.topic,
        str(place.events), str(wait_s),
    ]  # fmt: skip


def _bytewax(wait_s: int) -> Contestant:
    return Contestant(
        name=f"bytewax_{wait_s}s",
        title=f"Bytewax fold_window, waits {wait_s} s",
        work="decodes all fields; its own tumbling windows: count and four sums",
        guarantee="none: recovery left out (with it, at least once for what it writes)",
        late_data=f"dropped {wait_s} s of event time behind the newest of its group",
        settings="batches of 10,000, decoded by orjson in flat_map_batch; ordered=False; one worker; "
        "fetch.queue.backoff.ms 10",
        unavailable=always_available,
        prepare=partial(install_python, requirements=_REQUIREMENTS),
        versions=partial(python_versions, names=("bytewax", "confluent-kafka", "orjson")),
        command=partial(_command, wait_s),
        one_in=4,
    )


CONTESTANTS = (_bytewax(60), _bytewax(5))
