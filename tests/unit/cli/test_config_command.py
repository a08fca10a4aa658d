"""`inferometer config` checks and shows, and never shows a secret."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Run

SECRET = {"INFEROMETER_STORE_PASSWORD": "hunter2"}


def test_a_configuration_without_problems_is_ok(run: Run) -> None:
    outcome = run("config", "check", environ=SECRET)
    assert outcome.code == 0
    assert outcome.out.startswith("ok: 1 of ")


def test_check_reads_the_file_of_its_flag(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text("[worker]\nchunk_threads = 0\n")
    outcome = run("config", "check", "--config", str(file))
    assert outcome.code == 1
    assert outcome.out == ""
    assert outcome.err == f"[worker] chunk_threads (from {file}): is 0, must be at least 1\n"


def test_show_names_the_origin_of_each_value(run: Run) -> None:
    outcome = run("config", "show", environ={"INFEROMETER_KAFKA_GROUP": "g"})
    (line,) = (line for line in outcome.out.splitlines() if line.startswith("kafka.group "))
    assert line.split() == ["kafka.group", "g", "INFEROMETER_KAFKA_GROUP"]


def test_show_hides_secrets(run: Run) -> None:
    for flags in ((), ("--json",)):
        outcome = run("config", "show", *flags, environ=SECRET)
        assert outcome.code == 0
        assert "hunter2" not in outcome.out
        assert "***" in outcome.out


def test_show_for_machines_is_one_object(run: Run) -> None:
    shown = json.loads(run("config", "show", "--json").out)
    assert shown["worker.chunk_max_events"] == {"value": 200_000, "origin": "default"}
    assert shown["store.data_dir"]["value"] is None


def test_show_with_problems_shows_them_instead(run: Run) -> None:
    outcome = run("config", "show", environ={"INFEROMETER_LOG_LEVEL": "loud"})
    assert outcome.code == 1
    assert outcome.out == ""
    assert "must be one of" in outcome.err
