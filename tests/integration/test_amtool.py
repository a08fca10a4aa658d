"""Alertmanager's own client, `amtool` of Debian's package, against our interface."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from inferometer.core.alerts.incident_listing import listed_alerts
from inferometer.webhooks.config_text import config_text
from tests.unit.core.alerts.ticking import definition, reading, run_of
from tests.unit.web.serving import NOW_S, TOKEN, Bench, serving
from tests.unit.webhooks.test_receivers_file import RULES, WHOLE, load

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

LABELS = {"workspace": "acme", "service": "chat", "slo": "chat-success", "severity": "page"}


class Amtool:
    """Runs the client with a token."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._config = folder / "http.yml"
        self._config.write_text(f"authorization: {{type: Bearer, credentials: {TOKEN}}}\n")

    async def __call__(self, bench: Bench, *arguments: str, token: bool = True) -> str:
        done = await asyncio.to_thread(self._run, bench.url, arguments, token)
        assert done.returncode == 0, done.stderr
        return done.stdout

    async def fails(self, bench: Bench, *arguments: str, token: bool = True) -> str:
        done = await asyncio.to_thread(self._run, bench.url, arguments, token)
        assert done.returncode != 0
        return done.stderr

    def without_interface(self, *arguments: str) -> str:
        done = self._run("http://127.0.0.1:1", arguments, token=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _run(
        self, url: str, arguments: tuple[str, ...], token: bool
    ) -> subprocess.CompletedProcess[str]:
        how = [f"--http.config.file={self._config}"] if token else []
        return subprocess.run(
            [self._program, f"--alertmanager.url={url}", "--no-version-check", *how, *arguments],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


@pytest.fixture
def amtool(tmp_path: Path) -> Amtool:
    program = shutil.which("amtool")
    if program is None:
        pytest.skip(
            "amtool is not installed (Debian, Ubuntu: apt-get install prometheus-alertmanager)"
        )
    return Amtool(program, tmp_path)


# The interface's clock stands still, so silences have ends of their own.
TIMES = ("--start", "2026-01-05T08:00:00Z", "--end", "2030-01-05T12:00:00Z")
WHO = ("--author", "me", "--comment", "known")


async def queried(amtool: Amtool, bench: Bench, *arguments: str) -> list[dict[str, Any]]:
    return list(json.loads(await amtool(bench, *arguments, "-o", "json")))


def test_a_silence_of_amtool_mutes_a_page(amtool: Amtool) -> None:
    async def use(bench: Bench) -> None:
        added = await amtool(
            bench, "silence", "add", "chat-success", "severity=~page|ticket", *WHO, *TIMES
        )
        silence_id = added.strip()
        book = bench.store.book()
        assert book.muted_by(LABELS, NOW_S) == (f"silence:{silence_id}",)
        assert book.muted_by({**LABELS, "slo": "other"}, NOW_S) == ()
        (found,) = await queried(amtool, bench, "silence", "query", "chat-success")
        assert (found["id"], found["status"]) == (silence_id, {"state": "active"})
        assert await queried(amtool, bench, "silence", "query", "other") == []
        await amtool(bench, "silence", "expire", silence_id)
        assert book.muted_by(LABELS, NOW_S) == ()

    serving(use)


def test_a_page_under_a_silence_is_told_when_amtool_ends_it(amtool: Amtool) -> None:
    chat = definition("chat-success", service="chat")
    alerts = run_of(chat)
    alerts.tick_s = NOW_S

    async def use(bench: Bench) -> None:
        alerts.mutes = bench.store.book()
        added = await amtool(bench, "silence", "add", "chat-success", *WHO, *TIMES)
        assert alerts.say(chat.subject(()), [reading()], 60) == []
        bench.view.listed = listed_alerts(alerts.alerts)
        assert await queried(amtool, bench, "alert", "query") == []
        (shown,) = await queried(amtool, bench, "alert", "query", "--silenced")
        assert shown["status"]["silencedBy"] == [added.strip()]
        await amtool(bench, "silence", "expire", added.strip())
        (notice,) = alerts.say(chat.subject(()), [reading()], 10)
        assert (notice.transition, notice.severity) == ("silence_ended", "page")
        (shown,) = await queried(amtool, bench, "alert", "query")
        assert shown["fingerprint"] == notice.fingerprint

    serving(use)


def test_amtool_updates_and_imports_silences(amtool: Amtool, tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        added = await amtool(bench, "silence", "add", "slo=chat-success", *WHO, *TIMES)
        silence_id = added.strip()
        ends = "2031-01-05T12:00:00Z"
        await amtool(bench, "silence", "update", "--end", ends, "-c", "longer", silence_id)
        (found,) = await queried(amtool, bench, "silence", "query")
        assert (found["id"], found["comment"]) == (silence_id, "longer")
        assert found["endsAt"].startswith("2031-01-05T12:00:00")
        copy = tmp_path / "silences.json"
        copy.write_text(await amtool(bench, "silence", "query", "-o", "json"))
        await amtool(bench, "silence", "import", "--force", str(copy))
        assert len(await queried(amtool, bench, "silence", "query")) == 2

    serving(use)


def test_amtool_lists_alerts_and_hides_those_that_are_silenced(amtool: Amtool) -> None:
    async def use(bench: Bench) -> None:
        (alert,) = await queried(amtool, bench, "alert", "query", "service=chat")
        assert alert["labels"] == {**LABELS, "alertname": "chat-success"}
        assert alert["status"]["state"] == "active"
        assert await queried(amtool, bench, "alert", "query", "service=other") == []
        await amtool(bench, "silence", "add", "service=chat", *WHO, *TIMES)
        assert await queried(amtool, bench, "alert", "query") == []
        (alert,) = await queried(amtool, bench, "alert", "query", "--silenced")
        assert alert["status"]["state"] == "suppressed"
        for form in ("simple", "extended"):
            shown = await amtool(bench, "alert", "query", "--silenced", "-o", form)
            assert "chat-success" in shown
        assert "receiver: oncall" in await amtool(bench, "config", "show")
        refused = await amtool.fails(bench, "alert", "add", "other", "service=chat")
        assert "takes no alerts" in refused
        assert "disabled" in await amtool(bench, "cluster", "show")

    serving(use)


def test_amtool_reads_the_configuration_in_force_and_routes_by_it(
    amtool: Amtool, tmp_path: Path
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(config_text(load(tmp_path, WHOLE + RULES)))
    assert "SUCCESS" in amtool.without_interface("check-config", str(path))
    routes = ("config", "routes", "test", "--config.file", str(path))
    gpt = (*routes, "severity=page", "model=gpt-5")
    assert amtool.without_interface(*gpt).strip() == "oncall"
    assert amtool.without_interface(*routes, "severity=ticket").strip() == "hook"
    assert amtool.without_interface(*routes, "severity=page").strip() == "chat"


def test_amtool_is_told_what_is_wrong(amtool: Amtool) -> None:
    async def use(bench: Bench) -> None:
        add = ("silence", "add", *WHO, *TIMES)
        assert "mute everything" in await amtool.fails(bench, *add, "a=~.*")
        assert "for ever" in await amtool.fails(bench, *add, "a=~(b+)+")
        assert "401" in await amtool.fails(bench, *add, "a=b", token=False)
        assert bench.store.stored == []

    serving(use)
