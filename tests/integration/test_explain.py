from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING

from inferometer.cli.main import main
from inferometer.clickhouse.alert_history import ClickHouseAlertHistory
from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.migrations import migrate
from inferometer.clickhouse.settings import StoreSettings
from inferometer.core.alerts.history import RecordKind
from tests.integration.alert_seed import ATTEMPTS, FACTS, HISTORY, happened

if TYPE_CHECKING:
    from pathlib import Path


def explained(folder: Path, *arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    code = main(
        ["explain", *arguments, "--data", str(folder)],
        stdin=io.StringIO(), stdout=out, stderr=err, environ={},
    )  # fmt: skip
    return code, out.getvalue(), err.getvalue()


def test_the_command_explains_an_incident_to_a_person_and_to_a_machine(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with StoreConnection(StoreSettings(data_dir=folder)) as connection:
        migrate(connection, report=lambda _: None)
        history = ClickHouseAlertHistory(connection)
        history.keep_transitions(HISTORY, token="t")
        history.keep_attempts(ATTEMPTS, token="a")
        grouped = {"reason": "q7c", "incident_id": "member"}
        history.keep_transitions(
            [
                happened(7, RecordKind.FIRING, 150, incident_id="member"),
                happened(
                    6,
                    RecordKind.RULE_CLEARED,
                    155,
                    incident_id="member",
                    rule="page-fast",
                    conditions=(replace(FACTS, is_true=False),),
                ),
                happened(8, RecordKind.GROUPED, 150, **grouped),
            ],
            token="m",
        )
        history.keep_transitions([happened(9, RecordKind.FIRING, 90, incident_id="q8")], token="u")

    code, out, _ = explained(folder, "q7")
    assert code == 0
    assert "page of chat-success" in out
    assert "over 14.4 with 151 bad of 10021 in 1h, burn 15.1; 150 bad of 829 in 5m" in out
    assert "  drivers   error_type timeout (92%), model m-large (80%)" in out
    assert "attempt 1: retry 503" in out
    assert "attempt 2: delivered 204" in out

    code, out, _ = explained(folder, "member")
    assert code == 0
    assert out.count("(told together with q7c)") == 3
    assert "nobody" not in out
    # Those of another group would mislead.
    assert "drivers" not in out
    assert "      last true: page-fast: over 14.4 with 151 bad of 10021" in out

    code, out, _ = explained(folder, "q7c", "--json")
    found = json.loads(out)
    assert (code, found["incident"]["incident_id"], len(found["attempts"])) == (0, "q7c", 3)
    assert [len(each["drivers"]) for each in found["attempts"]] == [2, 2, 0]

    code, out, err = explained(folder, "q")
    assert code == 1
    assert "several incidents begin with q" in err
    code, out, err = explained(folder, "nobody")
    assert (code, out) == (1, "")
    assert "no incident begins with nobody" in err

    code, out, _ = explained(folder)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["member", "q7c", "q8"]
    assert "OPEN" in out.splitlines()[2]
    assert [line.endswith("told together with another") for line in out.splitlines()] == [
        True, False, False,
    ]  # fmt: skip
