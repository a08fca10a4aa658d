"""Contestants: confluent-kafka bare, and with orjson and a dictionary of window sums."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.contestants import Contestant, always_available

if TYPE_CHECKING:
    from tests.benchmarks.contestants import Place

_PROGRAM = Path(__file__).with_name("confluent_program.py")
_SETTINGS = (
    "consume() of 10,000 records, fetch.queue.backoff.ms 10, fetch.wait.max.ms 50, "
    "queued.min.messages 20,000, fetches of 8 MB a partition"
)


def _command(work: str, place: Place) -> list[str]:
    # Our own environment has it, in the version that we rest on.
    return [
        sys.executable, str(_PROGRAM), work, place.bootstrap_servers, place.topic, place.group,
        str(place.events),
    ]  # fmt: skip


CONTESTANTS = (
    Contestant(
        name="confluent",
        title="confluent-kafka consume",
        kind="bare",
        work="fetches and counts records; decodes nothing",
        guarantee="none: commits nothing",
        late_data="knows none",
        settings=_SETTINGS,
        unavailable=always_available,
        prepare=lambda _installed: None,
        command=partial(_command, "count"),
        shapes=("lean", "full"),
    ),
    Contestant(
        name="confluent_orjson",
        title="confluent-kafka + orjson + dictionary",
        work="decodes all fields; window sums in memory; no sketch, no check, no store",
        guarantee="none: a dictionary in memory, commits nothing",
        late_data="kept: windows never close",
        settings=_SETTINGS,
        unavailable=always_available,
        prepare=lambda _installed: None,
        command=partial(_command, "sum"),
        shapes=("lean", "full"),
        one_in=2,
    ),
)
