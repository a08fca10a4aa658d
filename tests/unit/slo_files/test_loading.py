from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from inferometer.core.slo.shipped_rules import shipped_rules
from inferometer.slo_files import SloFiles, load_slo_files, load_slo_texts

EXAMPLES = Path(__file__).parents[3] / "schemas" / "examples"

ONE = """\
format: inferometer.slos.v1
slos:
  - {name: chat, indicator: availability, objective: 0.99}
"""


def problems(found: SloFiles) -> list[str]:
    return [str(problem) for problem in found.problems]


@pytest.mark.parametrize("name", ["slos.yaml", "openslo.yaml"])
def test_a_published_example_is_sound(name: str) -> None:
    found = load_slo_files([EXAMPLES / name])
    assert (problems(found), found.cautions) == ([], ())
    assert found.slos


def test_a_folder_is_searched_and_our_other_formats_in_it_are_passed_by(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.yml").write_text(ONE, encoding="utf-8")
    (tmp_path / "prices.yaml").write_text("format: inferometer.prices.v1\n", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("none", encoding="utf-8")
    found = load_slo_files([tmp_path])
    assert problems(found) == []
    assert [slo.name for slo in found.slos] == ["chat"]
    named = load_slo_files([tmp_path / "prices.yaml"])
    assert "is no SLO file" in problems(named)[0]


def test_a_mounted_config_map_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "..2026_01").mkdir()
    (tmp_path / "..2026_01" / "a.yaml").write_text(ONE, encoding="utf-8")
    (tmp_path / "..data").symlink_to(tmp_path / "..2026_01")
    (tmp_path / "a.yaml").symlink_to(tmp_path / "..data" / "a.yaml")
    found = load_slo_files([tmp_path])
    assert (problems(found), found.files) == ([], 1)


def test_a_file_that_is_named_twice_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(ONE, encoding="utf-8")
    found = load_slo_files([tmp_path, tmp_path / "a.yaml"])
    assert (problems(found), found.files, len(found.slos)) == ([], 1, 1)


def test_what_cannot_be_read_is_a_problem_and_stops_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(ONE, encoding="utf-8")
    (tmp_path / "latin.yaml").write_bytes(b"# a\n# caf\xe9\n")
    (tmp_path / "empty").mkdir()
    names = ["missing.yaml", "latin.yaml", "empty", "good.yaml"]
    found = load_slo_files([tmp_path / name for name in names])
    assert [slo.name for slo in found.slos] == ["chat"]
    texts = [text.removeprefix(f"{tmp_path}/") for text in problems(found)]
    assert texts == [
        "empty: the folder holds no .yaml file; name another",
        "latin.yaml:2: is not UTF-8 text; save it as UTF-8",
        "missing.yaml: cannot be read (No such file or directory); check its name and rights",
    ]


def test_a_file_of_many_megabytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"#" * (2**22 + 1))
    assert "is over 4 MiB; split it" in problems(load_slo_files([tmp_path / "a.yaml"]))[0]


def test_a_name_belongs_to_the_first_that_takes_it_whatever_its_kind() -> None:
    second = ONE.replace("slos.v1\n", "slos.v1\nbudgets: [{name: CHAT, amount_usd: 5}]\n")
    third = ONE.replace("availability,", "availability, workspace: acme,")
    found = load_slo_texts({"a.yaml": ONE, "b.yaml": second, "c.yaml": third})
    assert [slo.source for slo in found.slos] == ["a.yaml:3", "c.yaml:3"]
    assert found.budgets == ()
    assert problems(found) == [
        "b.yaml:2: budget CHAT: the name is taken by a slo at a.yaml:3; give it another",
        "b.yaml:4: slo chat: the name is taken by a slo at a.yaml:3; give it another",
    ]


def test_two_of_one_name_on_one_line_keep_the_first() -> None:
    entry = "{name: chat, indicator: availability, objective: 0.99}"
    found = load_slo_texts({"a.yaml": f"format: inferometer.slos.v1\nslos: [{entry}, {entry}]\n"})
    assert len(found.slos) == 1
    assert len(found.problems) == 1


def test_expected_traffic_judges_what_does_not_tell_its_own() -> None:
    own = ONE.replace("0.99}", "0.99, requests_per_hour: 6000}").replace("chat", "busy")
    found = load_slo_texts({"a.yaml": ONE, "b.yaml": own}, requests_per_hour=Decimal("0.01"))
    assert [slo.name for slo in found.slos] == ["busy"]
    assert "cannot be measured" in problems(found)[0]


def test_a_rule_replaces_the_shipped_one_of_its_name_and_files_turn_others_off() -> None:
    start = "format: inferometer.slos.v1\n"
    everything = load_slo_texts({}).shipped_rules
    assert everything == shipped_rules()
    assert load_slo_texts({"a": f"{start}shipped_rules: false\n"}).shipped_rules == ()
    kept = f"{start}shipped_rules: [cold-start-rate, consumer-lag]\n"
    assert [rule.name for rule in load_slo_texts({"a": kept}).shipped_rules] == [
        "cold-start-rate",
        "consumer-lag",
    ]
    own = f"{start}rules: [{{name: cold-start-rate, metric: cold_starts, above: 1}}]\n"
    found = load_slo_texts({"a": kept, "b": own})
    assert [rule.name for rule in found.shipped_rules] == ["consumer-lag"]
    wrong = load_slo_texts({"a": f"{start}shipped_rules: [cold]\n"})
    assert "'cold' is no shipped rule; they are cold-start-rate" in problems(wrong)[0]


def test_only_a_rule_may_have_the_name_of_a_shipped_rule() -> None:
    found = load_slo_texts({"a": ONE.replace("chat", "cold-start-rate")})
    assert found.slos == ()
    assert "the name is that of a shipped rule" in problems(found)[0]
