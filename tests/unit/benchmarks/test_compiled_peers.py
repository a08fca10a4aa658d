"""The peers that are no Python: what they say of themselves, and when they cannot run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.benchmarks.contestants import Place
from tests.benchmarks.environments import InstallError
from tests.benchmarks.peers import flink, go, kafka_streams
from tests.benchmarks.peers.building import BUILD, build_once, jar_versions

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.contestants import Contestant

COMPILED = (*go.CONTESTANTS, *kafka_streams.CONTESTANTS, *flink.CONTESTANTS)
BY_NAME = pytest.mark.parametrize("contestant", COMPILED, ids=lambda each: each.name)


def place(folder: Path) -> Place:
    return Place(
        bootstrap_servers="broker:9092", topic="a-topic", partitions=4, shape="lean", events=1200,
        warm_up=200, until=800, group="a-group", folder=folder / "scratch",
        installed=folder / "installed",
    )  # fmt: skip


@BY_NAME
def test_each_says_what_it_does_and_what_not_and_what_it_promises(contestant: Contestant) -> None:
    assert " no " in contestant.work
    assert contestant.guarantee
    assert contestant.late_data
    assert contestant.settings
    assert not contestant.is_stored


@BY_NAME
def test_each_reads_the_topic_that_it_is_given(contestant: Contestant, tmp_path: Path) -> None:
    connector = tmp_path / flink._HOME / BUILD / "flink-sql-connector-kafka-1.jar"
    connector.parent.mkdir(parents=True)
    connector.touch()
    command = " ".join(contestant.command(place(tmp_path)))
    assert "a-topic" in command
    assert "broker:9092" in command


@BY_NAME
def test_without_its_tools_each_names_them_and_how_to_get_them(
    contestant: Contestant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    reason = contestant.unavailable()
    needed = {"go"} if contestant in go.CONTESTANTS else {"java", "javac", "mvn"}
    assert reason is not None
    for program in needed:
        assert f"{program} is not on PATH (" in reason


def test_the_same_sources_are_built_once_and_changed_ones_again(tmp_path: Path) -> None:
    source, installed, built = tmp_path / "main.go", tmp_path / "installed", []

    def build() -> None:
        build_once(installed, (source,), lambda folder: built.append(list(folder.iterdir())))

    for text in ("first", "first", "second"):
        source.write_text(text)
        build()
    assert built == [[installed / BUILD / "main.go"]] * 2
    assert (installed / BUILD / "main.go").read_text() == "second"


def test_a_build_that_failed_is_tried_again(tmp_path: Path) -> None:
    source = tmp_path / "main.go"
    source.write_text("text")
    tries = []

    def build(folder: Path) -> None:
        tries.append(folder)
        if len(tries) == 1:
            raise InstallError("no network")

    with pytest.raises(InstallError):
        build_once(tmp_path / "installed", (source,), build)
    build_once(tmp_path / "installed", (source,), build)
    assert len(tries) == 2


def test_versions_come_from_what_is_there(tmp_path: Path) -> None:
    for name in ("kafka-streams-4.1.2.jar", "kafka-streams-scala-9.jar", "other-1.jar"):
        (tmp_path / name).touch()
    assert jar_versions(tmp_path, ("kafka-streams", "absent")) == {"kafka-streams": "4.1.2"}


def test_the_go_program_stays_short_enough_to_be_read() -> None:
    assert len((go._FOLDER / "main.go").read_text(encoding="utf-8").splitlines()) <= 200


def test_versions_of_the_go_program_are_those_of_its_module_file(tmp_path: Path) -> None:
    (tmp_path / BUILD).mkdir()
    (tmp_path / BUILD / "go.mod").write_text((go._FOLDER / "go.mod").read_text())
    assert set(go._versions(tmp_path)) == {"franz-go", "go-json", "sketches-go"}
