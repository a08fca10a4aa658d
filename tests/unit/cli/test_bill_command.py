from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest

from inferometer.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path


def bill(*argv: str) -> tuple[int, str, str]:
    stdout, stderr = io.StringIO(), io.StringIO()
    code = main(["bill", *argv], io.StringIO(), stdout, stderr, {})
    return code, stdout.getvalue(), stderr.getvalue()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "may.csv"
    path.write_text("\ufeffday,provider,amount_usd\n2026-05-30,openai,1\n2026-05-31,openai,2\n")
    return path


def test_a_dry_run_reads_says_and_needs_no_store(file: Path) -> None:
    code, out, err = bill("import", str(file), "--dry-run")
    assert (code, err) == (0, "")
    assert "may.csv: 2 lines of openai, 2026-05-30 to 2026-05-31, 3.000000 USD" in out
    assert "nothing was stored" in out


def test_a_dry_run_speaks_json_with_exact_money(file: Path) -> None:
    _, out, _ = bill("import", str(file), "--dry-run", "--json", "--source", "invoice 7")
    said = json.loads(out)
    assert (said["source"], said["lines"], said["replaced"]) == ("invoice 7", 2, None)
    assert said["total_usd"] == "3.000000000000"


def test_every_problem_of_a_file_is_told_and_no_store_is_opened(file: Path) -> None:
    file.write_text("day,provider,amount_usd\nsoon,openai,1\n2026-05-31,,x\n")
    code, out, err = bill("import", str(file), "--data", str(file.parent / "nowhere"))
    assert (code, out) == (1, "")
    assert [line.partition(": ")[2][:6] for line in err.splitlines()[:3]] == [
        "line 2", "line 3", "line 3",
    ]  # fmt: skip
    assert "3 problems; nothing was stored" in err


def test_a_file_that_cannot_be_read_is_no_traceback(file: Path) -> None:
    code, _, err = bill("import", str(file.with_name("none.csv")), "--dry-run")
    assert (code, "cannot read" in err) == (1, True)
    file.write_bytes(b"\xff\xfe")
    code, _, err = bill("import", str(file), "--dry-run")
    assert (code, "not UTF-8 at byte 0" in err) == (1, True)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["list"], "which store"),
        (["list", "--from", "1d", "--to", "2d", "--data", "x"], "--to is not after --from"),
        (["list", "--from", "soon"], "is no time"),
        (["import"], "FILE.csv"),
        (["remove"], "NAME"),
        (["remove", "may.csv"], "which store"),
        (["import", "x.csv", "--dry-run", "--source", "s" * 257], "256 characters"),
    ],
)
def test_wrong_use_says_what_is_missing(argv: list[str], words: str) -> None:
    code, out, err = bill(*argv)
    assert (code, out) == (2, "")
    assert words in err
