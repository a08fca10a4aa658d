"""Contestants: Flink SQL, sums, and sums with exact percentiles."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.contestants import Contestant
from tests.benchmarks.environments import install_python, python_of, python_versions
from tests.benchmarks.peers.building import (
    BUILD,
    JAVA_NEEDS,
    build_once,
    jar_versions,
    maven,
    missing,
)

if TYPE_CHECKING:
    from tests.benchmarks.contestants import Place

_PROGRAM = Path(__file__).with_name("flink_program.py")
_POM = Path(__file__).with_name("flink_pom.xml")
_REQUIREMENTS = ("apache-flink==2.3.0",)
_HOME = "flink"
_CONNECTOR = "flink-sql-connector-kafka"
_SETTINGS = {
    "parallelism.default": "1",
    "pipeline.object-reuse": "true",
    "table.exec.mini-batch.enabled": "true",
    "table.exec.mini-batch.allow-latency": "1 s",
    "table.exec.mini-batch.size": "50000",
    "taskmanager.memory.managed.size": "256m",
    "execution.checkpointing.interval": "10 s",
}
_JVM_FLAGS = "-Xms1536m -Xmx1536m -XX:+UseSerialGC"


def _prepare(installed: Path) -> None:
    home = _home(installed)
    install_python(home / "python", _REQUIREMENTS)
    build_once(home, (_POM,), _fetch_connector)


def _home(installed: Path) -> Path:
    """One installation, of 800 MB, serves all contestants of this module."""
    return installed.with_name(_HOME)


def _fetch_connector(folder: Path) -> None:
    maven(folder, "-f", _POM.name, "dependency:copy-dependencies", f"-DoutputDirectory={folder}")


def _command(wants_percentiles: bool, place: Place) -> list[str]:
    home = _home(place.installed)
    (connector,) = (home / BUILD).glob(f"{_CONNECTOR}-*.jar")
    given = {
        "servers": place.bootstrap_servers,
        "topic": place.topic,
        "group": place.group,
        "folder": str(place.folder),
        "percentiles": wants_percentiles,
        "connector": str(connector),
        "settings": _SETTINGS,
    }
    return [python_of(home / "python"), str(_PROGRAM), json.dumps(given)]


def _versions(installed: Path) -> dict[str, str]:
    home = _home(installed)
    return {
        **python_versions(home / "python", ("apache-flink",)),
        **jar_versions(home / BUILD, (_CONNECTOR,)),
    }


_SUMS = "decodes the 7 fields it sums; SQL: tumbling windows, count and four sums"

_flink = partial(
    Contestant,
    guarantee="exactly once for its state, by a checkpoint every 10 s; rows go to a client",
    late_data="dropped: 5 s after the slowest partition, Flink's watermark closes a window",
    settings=(
        "local cluster in one JVM, one slot; JSON parser that reads only wanted columns, two-phase "
        "aggregation; progress by the engine's own metric over REST, twice a second (1.5 % of a core); "
        f"{', '.join(f'{key} {value}' for key, value in _SETTINGS.items())}; {_JVM_FLAGS}"
    ),
    unavailable=lambda: missing(JAVA_NEEDS),
    prepare=_prepare,
    versions=_versions,
    environ=lambda _place: {"JVM_ARGS": _JVM_FLAGS},
    # Planning and starting are done by code that is not compiled yet.
    start_timeout_s=300.0,
)

CONTESTANTS = (
    _flink(
        name="flink_sql",
        title="Flink SQL, sums",
        work=f"{_SUMS}; no sketch, no check, no deduplication, no price, no store",
        command=partial(_command, False),
        shapes=("lean", "full"),
    ),
    _flink(
        name="flink_sql_percentiles",
        title="Flink SQL, sums and exact percentiles",
        work=f"{_SUMS}, exact p50, p95 and p99 of two durations; no sketch, no check, no "
        "deduplication, no price, no store",
        command=partial(_command, True),
        one_in=2,
    ),
)
