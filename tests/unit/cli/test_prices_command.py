from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest

from inferometer.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

LITELLM = (
    '{"gpt": {"litellm_provider": "openai", "input_cost_per_token": 1e-6,'
    ' "input_cost_per_token_flex": 5e-7}}'
)


def inferometer(*argv: str) -> tuple[int, str, str]:
    stdout, stderr = io.StringIO(), io.StringIO()
    code = main(["prices", *argv], io.StringIO(), stdout, stderr, {})
    return code, stdout.getvalue(), stderr.getvalue()


def test_import_writes_the_own_format_and_tells_what_it_left_out(tmp_path: Path) -> None:
    source, output = tmp_path / "map.json", tmp_path / "own.yaml"
    source.write_text(LITELLM, encoding="utf-8")
    code, out, _ = inferometer(
        "import", str(source), "--format", "litellm", "--output", str(output)
    )
    assert code == 0
    assert "1 prices of 1 models" in out
    assert "input_cost_per_token_flex: events carry no service tier (in gpt)" in out
    assert inferometer("import", str(output), "--format", "native")[0] == 0
    code, out, _ = inferometer(
        "show", "--overlay-file", str(output), "--model", "gpt", "--provider", "openai", "--json"
    )
    assert code == 0
    (price,) = json.loads(out)["prices"]
    assert (price["usd"], price["per"], price["unit"]) == ("0.000001", 1, "uncached_input_tokens")


def test_import_speaks_json(tmp_path: Path) -> None:
    (tmp_path / "map.json").write_text(LITELLM, encoding="utf-8")
    _, out, _ = inferometer("import", str(tmp_path / "map.json"), "--format", "litellm", "--json")
    answer = json.loads(out)
    assert (answer["prices"], answer["models"], answer["skipped"][0]["count"]) == (1, 1, 1)


def test_import_of_a_broken_file_is_a_problem_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{", encoding="utf-8")
    code, out, err = inferometer("import", str(tmp_path / "x.json"), "--format", "genai-prices")
    assert (code, out) == (1, "")
    assert "is not JSON" in err


def test_import_of_prices_that_contradict_writes_nothing(tmp_path: Path) -> None:
    window = {"start_time": "01:00:00Z", "end_time": "02:00:00Z"}
    dated = [{"constraint": window, "prices": {"input_mtok": number}} for number in (1, 2)]
    model = {"id": "m", "match": {"equals": "m"}, "prices": [{"prices": {}}, *dated]}
    (tmp_path / "x.json").write_text(json.dumps([{"id": "a", "models": [model]}]), encoding="utf-8")
    output = tmp_path / "own.json"
    code, _, err = inferometer(
        "import", str(tmp_path / "x.json"), "--format", "genai-prices", "--output", str(output)
    )
    assert code == 1
    assert "overlaps" in err
    assert not output.exists()


def test_show_prints_what_holds_at_a_time() -> None:
    code, out, _ = inferometer("show", "--model", "gpt-4o", "--at", "2026-01-01")
    assert code == 0
    assert "genai-prices" in out
    assert "uncached_input_tokens" in out


def test_show_of_one_provider_shows_no_other() -> None:
    _, out, _ = inferometer("show", "--provider", "anthropic", "--json")
    assert {price["provider"] for price in json.loads(out)["prices"]} == {"anthropic"}


def test_show_of_an_unknown_model_says_that_it_is_unpriced() -> None:
    code, _, err = inferometer("show", "--model", "no-such-model")
    assert code == 1
    assert "unpriced" in err


@pytest.mark.parametrize("argv", [["show", "--at", "soon"], ["import", "x"], []], ids=str)
def test_wrong_use_exits_with_2(argv: list[str]) -> None:
    assert inferometer(*argv)[0] == 2
