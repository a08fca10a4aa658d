from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inferometer.errors import BrokerError
from inferometer.kafka.broker_jars import broker_jars, kafka_version

if TYPE_CHECKING:
    from pathlib import Path

FETCHES = """#!/bin/sh
for word in "$@"; do case "$word" in -DoutputDirectory=*) folder="${word#*=}";; esac; done
/bin/mkdir "$folder"
echo once >> "$0.calls"
"""
WHOLE = 'echo jar > "$folder/kafka_2.13.jar"\n'
FAILS = 'echo half > "$folder/half.jar"\necho "[ERROR] no route to the repository"\nexit 1\n'


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CACHE_HOME": str(tmp_path / "cache")}


def use_maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir(exist_ok=True)
    program = folder / "mvn"
    program.write_text(FETCHES + script)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return program


def test_the_jars_are_fetched_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]
) -> None:
    program = use_maven(tmp_path, monkeypatch, WHOLE)
    jars = broker_jars(environ)
    assert jars == broker_jars(environ)
    assert jars.name.startswith(f"{kafka_version()}-")
    assert [path.name for path in jars.iterdir()] == ["kafka_2.13.jar"]
    assert program.with_name("mvn.calls").read_text() == "once\n"


def test_half_a_download_is_never_taken_for_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]
) -> None:
    use_maven(tmp_path, monkeypatch, FAILS)
    with pytest.raises(BrokerError, match="no route to the repository"):
        broker_jars(environ)
    cache = tmp_path / "cache" / "inferometer" / "kafka"
    assert [path.name for path in cache.iterdir()] == ["download.lock"]
    use_maven(tmp_path, monkeypatch, WHOLE)
    assert broker_jars(environ).is_dir()


def test_without_maven_the_error_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrokerError, match="apt-get install default-jre-headless maven"):
        broker_jars(environ)


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(BrokerError, match="let XDG_CACHE_HOME name another folder"):
        broker_jars({"XDG_CACHE_HOME": str(blocked)})
