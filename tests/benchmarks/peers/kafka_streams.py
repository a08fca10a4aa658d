"""Contestants: Kafka Streams, with partial sums a partition, those with sketches, and shuffled."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.contestants import Contestant
from tests.benchmarks.peers.building import (
    BUILD,
    JAVA_NEEDS,
    JVM_FLAGS,
    build_once,
    jar_versions,
    maven,
    missing,
)

if TYPE_CHECKING:
    from tests.benchmarks.contestants import Place

_FOLDER = Path(__file__).with_name("kafka_streams_program")
_SOURCES = (_FOLDER / "pom.xml", *sorted(_FOLDER.glob("*.java")))
_JARS = ("kafka-streams", "kafka-clients", "jackson-core", "sketches-java")
_HOME = "kafka_streams"
_LIBRARIES = "libs"


def _prepare(installed: Path) -> None:
    build_once(_home(installed), _SOURCES, _build)


def _home(installed: Path) -> Path:
    """One build serves all contestants of this module."""
    return installed.with_name(_HOME)


def _build(folder: Path) -> None:
    maven(
        folder, "compile", "dependency:copy-dependencies",
        f"-DoutputDirectory={folder / _LIBRARIES}", "-DincludeScope=runtime",
    )  # fmt: skip


def _command(work: str, place: Place) -> list[str]:
    build = _home(place.installed) / BUILD
    return [
        "java", *JVM_FLAGS, "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
        "-cp", f"{build / 'classes'}:{build / _LIBRARIES}/*",
        "Main", work, place.bootstrap_servers, place.topic, place.group, str(place.events),
        str(place.folder / "state"),
    ]  # fmt: skip


_SETTINGS = (
    "one stream thread; 10,000 records buffered a partition and polled, fetches of 8 MB a partition; "
    "producer 100 ms, 256 KB, lz4; in-memory stores with changelog; Jackson's streaming parser; "
    f"{' '.join(JVM_FLAGS)}"
)
_LOCAL = f"commit right after each flush, once a second; {_SETTINGS}"
_AT_LEAST_ONCE = (
    "at least once: sums are restored from the changelog topic, events since the last commit may be "
    "summed twice"
)
_PARTIAL = (
    "decodes the 7 fields it sums; partial sums a partition on the heap (Processor API, no shuffle), "
    "to a state store with changelog every second; no check, no deduplication, no price, no log"
)

_streams = partial(
    Contestant,
    guarantee=_AT_LEAST_ONCE,
    unavailable=lambda: missing(JAVA_NEEDS),
    prepare=_prepare,
    versions=lambda installed: jar_versions(_home(installed) / BUILD / _LIBRARIES, _JARS),
)

CONTESTANTS = (
    _streams(
        name="kafka_streams",
        title="Kafka Streams, partial sums",
        work=_PARTIAL,
        late_data="kept: windows never close",
        settings=_LOCAL,
        command=partial(_command, "local"),
        shapes=("lean", "full"),
    ),
    _streams(
        name="kafka_streams_sketches",
        title="Kafka Streams, partial sums and sketches",
        work=f"{_PARTIAL}; two sketches (DDSketch, 0.5 %)",
        late_data="kept: windows never close",
        settings=_LOCAL,
        command=partial(_command, "sketches"),
        shapes=("lean", "full"),
    ),
    _streams(
        name="kafka_streams_shuffled",
        title="Kafka Streams DSL, groupBy",
        work="decodes the 7 fields it sums; `groupBy`, `windowedBy`, `aggregate`: a repartition topic, "
        "so that a window has one row a group; no sketch, no check, no deduplication, no price, no log",
        late_data="kept for 24 h, then dropped",
        settings=f"cache of 64 MB, commit every 10 s; progress is the mean of events read and events "
        f"summed; {_SETTINGS}",
        command=partial(_command, "shuffled"),
        one_in=2,
    ),
)
