"""Contestant: bare aiokafka `getmany`, which decodes nothing: the ceiling of the client under Faust."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.contestants import Contestant, always_available

if TYPE_CHECKING:
    from tests.benchmarks.contestants import Place

_PROGRAM = Path(__file__).with_name("aiokafka_program.py")


def _command(place: Place) -> list[str]:
    # Our own environment has it, in the version that we rest on.
    return [
        sys.executable, str(_PROGRAM), place.bootstrap_servers, place.topic, place.group,
        str(place.events),
    ]  # fmt: skip


CONTESTANTS = (
    Contestant(
        name="aiokafka",
        title="aiokafka getmany",
        kind="bare",
        work="fetches and counts records; decodes nothing",
        guarantee="none: commits nothing",
        late_data="knows none",
        settings="getmany of 5,000 records, fetches of 8 MB a partition, 50 ms, CRC as by default",
        unavailable=always_available,
        prepare=lambda _installed: None,
        command=_command,
        shapes=("lean", "full"),
    ),
)
