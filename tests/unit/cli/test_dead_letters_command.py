"""`inferometer dead-letters`: arguments that would do something else than what is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Run

BOTH_TIMES = ("--from", "1h", "--to", "2h")
SET_ID = ("--set", "event_id=e")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("list", *BOTH_TIMES), "--to lies before --from"),
        (("redrive", *BOTH_TIMES), "--to lies before --from"),
        (("redrive",), "which letters?"),
        (("redrive", "--all", "--reason", "failed"), "which letters?"),
        (("redrive", "--all", "--set", "status_code"), "give FIELD=VALUE"),
        (("redrive", "--all", *SET_ID), "--unset event_id"),
        (("redrive", "--at", "0:7", *SET_ID), "--unset event_id"),
        (("redrive", "--at", "0:7:0", "--at", "0:8:0", *SET_ID), "--unset event_id"),
    ],
)
def test_wrong_use_is_told_before_anything_is_opened(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    outcome = run("dead-letters", *arguments, "--data", str(tmp_path / "none"))
    assert (outcome.code, outcome.out) == (2, "")
    assert said in outcome.err


def test_one_letter_may_be_given_an_id(run: Run, tmp_path: Path) -> None:
    outcome = run(
        "dead-letters", "redrive", "--at", "0:7:0", *SET_ID, "--data", str(tmp_path / "none")
    )
    assert outcome.code == 1
    assert "event_id" not in outcome.err
