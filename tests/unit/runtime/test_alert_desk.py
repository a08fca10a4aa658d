"""Silences and states of alerts that run in this process, asked from threads of the query API."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from inferometer.config import AlertsConfig, Settings, WebConfig
from inferometer.core.alerts.silences import MuteRefusedError
from inferometer.errors import BrokerError, ConfigError, StateError
from inferometer.runtime.alert_desk import (
    InterfaceDesk,
    KeptStatus,
    RunningDesk,
    alert_sources,
)
from inferometer.runtime.silences import InterfaceError, SilenceClient
from inferometer.testing.silences import MemorySilenceStore
from tests.unit.web.serving import TOKEN, Bench, serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

SLOS = """\
format: inferometer.slos.v1
slos:
  - {name: chat-success, workspace: acme, service: chat-api, indicator: availability,
     objective: 0.999, requests_per_hour: 6000}
"""
MATCHERS = [{"name": "slo", "value": "chat", "isRegex": False, "isEqual": True}]
SILENCE = {
    "matchers": MATCHERS,
    "startsAt": "2026-01-05T08:00:00Z",
    "endsAt": "2126-01-05T08:00:00Z",
    "comment": "known",
    "createdBy": "ann",
}


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    thread = threading.Thread(target=made.run_forever)
    thread.start()
    yield made
    made.call_soon_threadsafe(made.stop)
    thread.join()
    made.close()


@pytest.fixture
def desk(loop: asyncio.AbstractEventLoop) -> RunningDesk:
    store = MemorySilenceStore()
    return RunningDesk(lambda: (store, loop))


def test_a_silence_is_made_shown_and_ended(desk: RunningDesk) -> None:
    made = desk.add_silence(SILENCE)
    (shown,) = desk.silences()
    assert shown["id"] == made
    assert shown["createdBy"] == "ann"
    assert shown["status"] == {"state": "active"}
    assert desk.expire(made) == "silence"
    assert desk.silences()[0]["status"] == {"state": "expired"}
    assert desk.expire(made) == "silence"
    assert desk.windows() == []


def test_a_filter_selects_by_matchers(desk: RunningDesk) -> None:
    desk.add_silence(SILENCE)
    assert len(desk.silences(['slo="chat"'])) == 1
    assert desk.silences(['slo="other"']) == []
    with pytest.raises(MuteRefusedError, match="filter"):
        desk.silences(["{"])


def test_a_wrong_silence_is_refused_with_every_problem(desk: RunningDesk) -> None:
    with pytest.raises(MuteRefusedError) as caught:
        desk.add_silence({"matchers": "all", "endsAt": "soon"})
    assert len(caught.value.problems) >= 2


@pytest.mark.parametrize("act", ["expire", "change"])
def test_an_unknown_id_is_refused(desk: RunningDesk, act: str) -> None:
    with pytest.raises(MuteRefusedError, match="no silence or maintenance"):
        desk.expire("none") if act == "expire" else desk.add_silence({**SILENCE, "id": "none"})


def test_while_alerts_start_or_end_nobody_is_told_that_all_is_well() -> None:
    with pytest.raises(StateError, match="do not run"):
        RunningDesk(lambda: None).silences()


def test_a_broker_that_refuses_is_told(loop: asyncio.AbstractEventLoop) -> None:
    class Refusing(MemorySilenceStore):
        async def put(self, entries: Sequence[Any]) -> None:
            raise BrokerError("away", retryable=True)

    store = Refusing()
    with pytest.raises(BrokerError, match="away"):
        RunningDesk(lambda: (store, loop)).add_silence(SILENCE)


def test_states_are_read_once_for_all_who_ask() -> None:
    reads: list[int] = []
    now_s = [0.0]

    def read() -> list[dict[str, Any]]:
        reads.append(1)
        return [{"read": len(reads)}]

    status = KeptStatus(read, every_s=15.0, monotonic=lambda: now_s[0])
    assert [status.rows(), status.rows()] == [[{"read": 1}]] * 2
    now_s[0] = 15.0
    assert status.rows() == [{"read": 2}]


def test_what_cannot_be_read_is_tried_again() -> None:
    def read() -> list[dict[str, Any]]:
        raise BrokerError("away", retryable=True)

    status = KeptStatus(read)
    for _ in range(2):
        with pytest.raises(BrokerError):
            status.rows()


class Refused(SilenceClient):
    """An interface that refuses by a status."""

    def __init__(self, status: int) -> None:
        super().__init__("http://127.0.0.1:9")
        self._status = status

    def add_silence(self, silence: Mapping[str, Any]) -> str:
        raise InterfaceError("no", status=self._status)

    def expire(self, entry_id: str) -> str:
        raise InterfaceError("no", status=self._status)


@pytest.mark.parametrize(
    ("status", "kind"), [(400, MuteRefusedError), (401, InterfaceError), (0, InterfaceError)]
)
def test_what_an_interface_refuses_is_the_askers_fault_or_not(
    status: int, kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        InterfaceDesk(Refused(status)).add_silence(SILENCE)


@pytest.mark.parametrize(("status", "kind"), [(404, MuteRefusedError), (503, InterfaceError)])
def test_an_id_that_an_interface_does_not_know_is_told(status: int, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        InterfaceDesk(Refused(status)).expire("x")


def test_an_interface_that_runs_is_asked_as_one_here() -> None:
    async def use(bench: Bench) -> None:
        desk = InterfaceDesk(SilenceClient(bench.url, token=TOKEN))
        made = await asyncio.to_thread(desk.add_silence, SILENCE)
        (shown,) = await asyncio.to_thread(desk.silences)
        assert shown["id"] == made
        assert await asyncio.to_thread(desk.expire, made) == "silence"
        assert await asyncio.to_thread(desk.windows) == []
        with pytest.raises(MuteRefusedError):
            await asyncio.to_thread(desk.expire, "none")

    serving(use)


def test_settings_name_whom_to_ask(tmp_path: Path) -> None:
    nobody = alert_sources(Settings(), {})
    assert (nobody.status, nobody.desk, nobody.objectives) == (None, None, None)
    slos = tmp_path / "slos.yaml"
    slos.write_text(SLOS, encoding="utf-8")
    found = alert_sources(
        Settings(
            web=WebConfig(alerts_url="http://127.0.0.1:9093"), alerts=AlertsConfig(slo_path=slos)
        ),
        {},
    )
    assert found.desk is not None
    assert found.status is not None
    assert found.objectives is not None
    assert found.objectives.find("slo", "acme", "chat-success") is not None


def test_objectives_that_cannot_be_read_are_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        alert_sources(Settings(alerts=AlertsConfig(slo_path=tmp_path / "none.yaml")), {})
