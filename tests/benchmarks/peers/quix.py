"""Contestant: Quix Streams, its engine and decoder, with a dictionary of window sums."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.contestants import Contestant, always_available
from tests.benchmarks.environments import install_python, python_of, python_versions

if TYPE_CHECKING:
    from tests.benchmarks.contestants import Place

_PROGRAM = Path(__file__).with_name("quix_program.py")
_REQUIREMENTS = ("quixstreams==3.28.1",)
_SETTINGS = (
    "fetch.queue.backoff.ms 10, queued.min.messages 20,000, commit every 5 s, JSON by its own "
    "deserializer (orjson)"
)


def _command(work: str, place: Place) -> list[str]:
    return [
        python_of(place.installed), str(_PROGRAM), work, place.bootstrap_servers, place.topic,
        place.group, str(place.events), str(place.folder / "state"),
    ]  # fmt: skip


_quix = partial(
    Contestant,
    late_data="kept: the dictionary's windows never close",
    unavailable=always_available,
    prepare=partial(install_python, requirements=_REQUIREMENTS),
    versions=partial(python_versions, names=("quixstreams", "confluent-kafka", "orjson")),
)

CONTESTANTS = (
    _quix(
        name="quix",
        title="Quix Streams, dictionary",
        work="decodes all fields; window sums in a dictionary of ours, its state store left out, "
        "because its windows are per record key and regrouping goes through another topic",
        guarantee="none: a dictionary in memory; offsets at least once",
        settings=_SETTINGS,
        command=partial(_command, "dictionary"),
        one_in=8,
    ),
    _quix(
        name="quix_window",
        title="Quix Streams, tumbling window",
        work="decodes all fields; its own tumbling window in RocksDB: count and four sums, keyed by "
        "model and status through its group_by, which writes and reads another topic",
        guarantee="at least once; state from its changelog topic left out",
        settings=f"{_SETTINGS}; changelog topics off; grace 1 h",
        late_data="dropped after the grace",
        command=partial(_command, "window"),
        one_in=32,
    ),
)
