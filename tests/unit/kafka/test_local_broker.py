from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from inferometer.errors import BrokerError
from inferometer.kafka.broker_jars import broker_jars
from inferometer.kafka.local_broker import FREE_PORTS, LocalBroker, find_java, free_port

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("version", "is_enough"), [("1.8.0_402", False), ("11.0.22", False), ("17.0.15", True)]
)
def test_java_must_be_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, is_enough: bool
) -> None:
    program = tmp_path / "bin" / "java"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    if is_enough:
        assert find_java() == str(program)
        return
    with pytest.raises(BrokerError, match="is no Java 17 or newer"):
        find_java()


def test_without_java_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(BrokerError, match="apt-get install default-jre-headless maven"):
        LocalBroker().start()


def test_a_free_port_is_held_by_nobody_and_not_spoken_for() -> None:
    port = free_port()
    with socket.socket() as held:
        held.bind(("127.0.0.1", port))
    assert port in FREE_PORTS
    almost_all = set(FREE_PORTS) - {port}
    with pytest.raises(BrokerError, match="no free port"):
        free_port(besides=almost_all | {port})


def test_a_broker_that_never_started_has_nothing_to_stop() -> None:
    broker = LocalBroker()
    broker.stop()
    broker.kill()
    broker.close()
    assert not broker.is_running
    for ask in (lambda: broker.pid, lambda: broker.folder):
        with pytest.raises(BrokerError):
            ask()


def test_a_machine_that_is_too_slow_to_format_gets_an_error_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = {
        "java": '[ "$1" = -version ] && echo \'version "21.0.1"\' >&2 && exit\nexec sleep 60\n',
        "mvn": 'for word in "$@"; do folder="${word#-DoutputDirectory=}"; done\n'
        'mkdir "$folder" && echo jar > "$folder/kafka_2.13.jar"\n',
    }
    for name, script in scripts.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    broker_jars()
    with pytest.raises(BrokerError, match=r"did not format .* within 0\.2 s"):
        LocalBroker(data_dir=tmp_path / "data").start(timeout_s=0.2)
