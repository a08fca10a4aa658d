"""Contestants: stock Faust, with an agent that does nothing and with a dictionary of window sums."""

from __future__ import annotations

import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.contestants import Contestant, always_available

if TYPE_CHECKING:
    from tests.benchmarks.contestants import Place

_PROGRAM = Path(__file__).with_name("stock_faust_program.py")


def _command(work: str, place: Place) -> list[str]:
    # Our own environment has it, in the version that we rest on.
    return [
        sys.executable, str(_PROGRAM), work, place.bootstrap_servers, place.topic, place.group,
        str(place.events), str(place.folder),
    ]  # fmt: skip


_faust = partial(
    Contestant,
    guarantee="none here: nothing is written; offsets at least once",
    settings="stream_wait_empty off, buffer of 16,384, web off, memory store; take(), noack and "
    "Cython change nothing",
    unavailable=always_available,
    prepare=lambda _installed: None,
    versions=lambda _installed: {
        name: version(name) for name in ("faust-streaming", "aiokafka", "orjson")
    },
    one_in=16,
)

CONTESTANTS = (
    _faust(
        name="faust_noop",
        title="stock Faust, does nothing",
        work="an agent that gets each record's bytes and does nothing",
        late_data="knows none",
        command=partial(_command, "nothing"),
    ),
    _faust(
        name="faust_dictionary",
        title="stock Faust, dictionary",
        work="decodes all fields by its JSON codec; window sums in a dictionary, no table of its own",
        late_data="kept: the dictionary's windows never close",
        command=partial(_command, "dictionary"),
    ),
)
