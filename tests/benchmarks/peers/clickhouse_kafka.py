"""Contestants: ClickHouse's own Kafka engine with materialised views, in process through chdb."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.contestants import Contestant, always_available
from tests.benchmarks.environments import install_python, python_of, python_versions

if TYPE_CHECKING:
    from tests.benchmarks.contestants import Place

_PROGRAM = Path(__file__).with_name("clickhouse_kafka_program.py")
# The engine of ClickHouse 25.8; chdb from 4.2 on refuses Kafka tables ("Shutdown was called").
_REQUIREMENTS = ("chdb==4.0.2",)


def _command(schema: str, place: Place) -> list[str]:
    return [
        python_of(place.installed), str(_PROGRAM), schema, place.bootstrap_servers, place.topic, place.group,
        str(place.events), str(place.folder / "clickhouse"),
    ]  # fmt: skip


_clickhouse = partial(
    Contestant,
    guarantee="at least once: a block is written, then its offsets are committed",
    late_data="kept: rows are added to their window",
    settings="one consumer in a thread of its own, blocks of 131,072 rows (full events: 65,536) or "
    "7.5 s, JSONEachRow",
    unavailable=always_available,
    prepare=partial(install_python, requirements=_REQUIREMENTS),
    versions=partial(python_versions, names=("chdb",)),
    is_stored=True,
)

CONTESTANTS = (
    _clickhouse(
        name="clickhouse_lean",
        title="ClickHouse Kafka engine, one view",
        work="decodes 11 fields; raw log; one roll-up by 10 s, model, status: count, sums, two "
        "quantilesDD(0.005); no duplicates dropped, no prices, no checks",
        command=partial(_command, "lean"),
        one_in=4,
    ),
    _clickhouse(
        name="clickhouse_full",
        title="ClickHouse Kafka engine, two views",
        work="decodes 33 fields; raw log; two roll-ups (service by 10 s, usage by 1 min), each count, "
        "sums and five quantilesDD(0.005); no duplicates dropped, no prices, no checks, no coarser "
        "windows",
        command=partial(_command, "full"),
        shapes=("full",),
        one_in=6,
    ),
)
