from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest
import yaml

from inferometer.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

SOUND = """\
format: inferometer.slos.v1
slos:
  - {name: chat, indicator: availability, objective: 0.999, service: api, group_by: model}
  - {name: slow, indicator: {latency: {of: ttft, under: 2s}}, objective: 0.95, outage: false}
budgets:
  - {name: month, amount_usd: 100}
rules:
  - {name: cold, metric: cold_starts / attempts, above: 0.1}
"""
BROKEN = """\
format: inferometer.slos.v1
slos:
  - {name: chat, indicator: availability, objective: 0.9}
  - {name: fine, indicator: availability, objective: 0.99}
"""


def inferometer(*argv: str) -> tuple[int, str, str]:
    stdout, stderr = io.StringIO(), io.StringIO()
    code = main(["slo", *argv], io.StringIO(), stdout, stderr, {})
    return code, stdout.getvalue(), stderr.getvalue()


@pytest.fixture
def sound(tmp_path: Path) -> str:
    path = tmp_path / "sound.yaml"
    path.write_text(SOUND, encoding="utf-8")
    return str(path)


@pytest.fixture
def broken(tmp_path: Path) -> str:
    path = tmp_path / "broken.yaml"
    path.write_text(BROKEN, encoding="utf-8")
    return str(path)


def test_check_says_how_soon_an_outage_fires_each_objective(sound: str) -> None:
    code, out, err = inferometer("check", sound)
    assert (code, err) == (0, "")
    assert f"ok       {sound}:3: slo chat: a total outage fires page-fast in 51.8 s" in out
    assert f"caution  {sound}:4: slo slow: page-fast detects a total outage in 43.2 min" in out
    assert out.endswith("0 problems, 1 cautions; sound are 2 slos, 1 budgets, 1 rules\n")


def test_check_names_every_problem_and_fails(broken: str) -> None:
    code, out, _ = inferometer("check", broken)
    assert code == 1
    assert out.startswith(f"problem  {broken}:3: slo chat: page-fast: it can never fire")
    assert "slo fine" in out


def test_check_holds_receivers_against_their_file(tmp_path: Path) -> None:
    slos, receivers = tmp_path / "slos.yaml", tmp_path / "receivers.yaml"
    slos.write_text(
        "format: inferometer.slos.v1\n"
        "slos:\n"
        "  - {name: chat, indicator: availability, objective: 0.999, receivers: [oncal]}\n",
        encoding="utf-8",
    )
    receivers.write_text(
        "format: inferometer.receivers.v1\n"
        "receivers:\n"
        "  - {name: oncall, format: slack, url: 'https://hooks.slack.example/x'}\n"
        "route: {receiver: oncall}\n",
        encoding="utf-8",
    )
    assert inferometer("check", str(slos))[0] == 0
    code, out, err = inferometer("check", str(slos), "--receivers", str(receivers))
    assert (code, err) == (1, "")
    assert (
        f"problem  {slos}:3: slo chat: receiver 'oncal' is not in the receivers file; "
        "did you mean oncall?" in out
    )


def test_check_can_fail_for_cautions(sound: str) -> None:
    assert inferometer("check", "--strict", sound)[0] == 1


def test_check_judges_by_the_traffic_that_is_given(sound: str) -> None:
    code, out, _ = inferometer("check", sound, "--requests-per-hour", "1")
    assert code == 1
    assert "chat: it cannot be measured" in out
    assert inferometer("check", sound, "--requests-per-hour", "many")[0] == 2


def test_check_speaks_json(broken: str) -> None:
    code, out, _ = inferometer("check", "--json", broken)
    answer = json.loads(out)
    assert code == 1
    assert (answer["ok"], answer["slos"], answer["budgets"]) == (False, 1, 0)
    (problem,) = answer["problems"]
    assert (problem["file"], problem["line"], problem["subject"]) == (broken, 3, "slo chat")


def test_list_shows_everything_that_is_declared(sound: str) -> None:
    code, out, _ = inferometer("list", sound)
    assert code == 0
    header, *rows = out.splitlines()
    assert header.split()[:3] == ["kind", "workspace", "name"]
    assert [row.split()[0] for row in rows] == ["slo", "slo", "budget", "rule"]
    assert "ttft <= 2000 ms" in out


def test_list_speaks_json(sound: str) -> None:
    declared = json.loads(inferometer("list", "--json", sound)[1])["declared"]
    assert declared[0]["total outage"]["page-fast"] == 51.84
    assert declared[0]["group by"] == ["model"]


def test_rules_of_what_is_sound_go_out_even_beside_problems(broken: str) -> None:
    code, out, err = inferometer("rules", "--prometheus", broken)
    assert code == 1
    assert "slo chat" in err
    assert [group["name"] for group in yaml.safe_load(out)["groups"]] == [
        "slo-sli-recordings-fine",
        "slo-meta-recordings-fine",
        "slo-alerts-fine",
    ]


def test_rules_need_names_that_prometheus_takes(sound: str) -> None:
    code, _, err = inferometer("rules", "--prometheus", "--bad-metric", "a b", sound)
    assert code == 2
    assert "--bad-metric 'a b' is no metric" in err


def test_a_file_that_is_not_there_is_a_problem_and_no_traceback(tmp_path: Path) -> None:
    code, out, _ = inferometer("check", str(tmp_path / "none.yaml"))
    assert code == 1
    assert "cannot be read" in out
