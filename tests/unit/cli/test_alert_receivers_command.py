from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from tests.unit.webhooks.hostile import HostileServer, hostile_server, status

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Outcome, Run

FILE = """\
receivers:
  - name: hook
    url: http://127.0.0.1:PORT/in
    secrets: [{env: KEY}]
    allow: {http: true, ports: [PORT], networks: [127.0.0.0/8]}
  - name: inside
    url: https://10.0.0.1/in
    secrets: [{env: KEY}]
    allow: {networks: [10.0.0.0/8]}
  - name: pager
    format: alertmanager_api
    url: http://127.0.0.1:PORT/api/v2/alerts
    allow: {http: true, ports: [PORT], networks: [127.0.0.0/8]}
route: {receiver: hook}
"""
ENVIRON = {"KEY": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}


def tried(run: Run, folder: Path, *argv: str, code: int = 200) -> tuple[Outcome, HostileServer]:
    """Run `alerts test` against a server of this host."""

    async def serve() -> tuple[Outcome, HostileServer]:
        async with hostile_server(status(code)) as server:
            path = folder / "receivers.yaml"
            path.write_text(FILE.replace("PORT", str(server.port)), encoding="utf-8")
            line = ("alerts", "test", *argv, "--receivers", str(path))
            return await asyncio.to_thread(run, *line, environ=ENVIRON), server

    return asyncio.run(serve())


def test_a_receiver_that_answers_is_good(run: Run, tmp_path: Path) -> None:
    outcome, server = tried(run, tmp_path, "hook", "--json")
    assert outcome.code == 0, outcome.err
    (row,) = json.loads(outcome.out)
    assert (row["receiver"], row["result"], row["said"]) == ("hook", "ok", "answered 200")
    (request,) = server.requests
    assert json.loads(request.body)["type"] == "system.alert.test"
    assert request.headers["webhook-signature"].startswith("v1,")


def test_a_test_does_not_stay_open(run: Run, tmp_path: Path) -> None:
    outcome, server = tried(run, tmp_path, "pager")
    assert outcome.code == 0, outcome.err
    first, second = (json.loads(request.body)[0] for request in server.requests)
    assert first["labels"] == second["labels"]
    assert second["endsAt"] < first["endsAt"]


@pytest.mark.parametrize("code", [404, 500, 302])
def test_a_receiver_that_refuses_fails_the_command(run: Run, tmp_path: Path, code: int) -> None:
    outcome, _ = tried(run, tmp_path, "hook", code=code)
    assert outcome.code == 1
    assert f"answered {code}" in outcome.out
    assert "127.0.0.1" not in outcome.out


def test_an_unknown_receiver_is_told_with_those_that_are_known(run: Run, tmp_path: Path) -> None:
    outcome, server = tried(run, tmp_path, "hok")
    assert outcome.code != 0
    assert "hok is no receiver; known are hook, inside, pager" in outcome.err
    assert server.requests == []


def test_without_a_file_the_command_says_what_to_give(run: Run) -> None:
    outcome = run("alerts", "test")
    assert outcome.code != 0
    assert "--receivers" in outcome.err


def test_ids_and_all_do_not_go_together(run: Run) -> None:
    outcome = run("alerts", "redeliver", "msg_1", "--all")
    assert outcome.code == 2
