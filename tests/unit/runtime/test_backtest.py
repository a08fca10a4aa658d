"""The file of maintenance windows that a backtest is given."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from inferometer.core.alerts.maintenance import Effect
from inferometer.errors import ConfigError
from inferometer.runtime.backtest import maintenance_of

if TYPE_CHECKING:
    from pathlib import Path

WINDOW = {
    "kind": "maintenance", "id": "w", "effect": "both", "reason": "upgrade", "createdBy": "ci",
    "matchers": [{"name": "slo", "value": "chat"}], "startsAt": "2026-01-31T08:00:00Z",
    "endsAt": "2026-01-31T09:00:00Z", "status": {"state": "expired"},
}  # fmt: skip


def test_windows_are_read_from_what_the_list_prints_and_silences_are_passed_over(
    tmp_path: Path,
) -> None:
    file = tmp_path / "list.json"
    file.write_text(json.dumps({"silences": [WINDOW, {"kind": "silence", "id": "s"}]}))
    [found] = maintenance_of(file)
    assert (found.id, found.effect) == ("w", Effect.BOTH)


@pytest.mark.parametrize("text", ["no json", "7", '{"silences": 1}', '[{"effect": "loud"}]', "[1]"])
def test_any_other_file_is_a_problem_of_the_configuration(tmp_path: Path, text: str) -> None:
    file = tmp_path / "list.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"list\.json"):
        maintenance_of(file)
