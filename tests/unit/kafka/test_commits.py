from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import TopicPartition
from aiokafka import errors as kafka_errors

from inferometer.errors import BrokerError
from inferometer.kafka import commits
from inferometer.kafka.commits import (
    FENCED_CODES,
    Contacts,
    FencedError,
    Membership,
    commit_offset,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

KEY = TopicPartition("t", 3)


class Coordinator:
    """Answers commits with what it is given: error codes, or errors to raise."""

    group_id = "g"

    def __init__(self, answers: Iterable[int | Exception]) -> None:
        self._answers = iter(answers)
        self.requests: list[Any] = []
        self.died = 0

    async def ensure_coordinator_known(self) -> None:
        pass

    async def _send_req(self, request: Any) -> Any:
        self.requests.append(request)
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return SimpleNamespace(topics=[("t", [(3, answer)])])

    def coordinator_dead(self) -> None:
        self.died += 1


@pytest.fixture(autouse=True)
def _no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits, "_BACKOFF_S", 0.0)


def commit(coordinator: Coordinator) -> None:
    asyncio.run(commit_offset(coordinator, Membership(7, "me"), KEY, 42, "open", Contacts()))


def test_a_commit_carries_the_pinned_membership_and_the_metadata() -> None:
    coordinator = Coordinator([0])
    commit(coordinator)
    (sent,) = coordinator.requests
    fields = vars(sent).values()
    assert {"g", 7, "me"} <= {each for each in fields if isinstance(each, int | str)}
    assert [("t", [(3, 42, "open")])] in fields


@pytest.mark.parametrize("code", sorted(FENCED_CODES))
def test_a_commit_of_a_lost_membership_is_fenced_and_not_repeated(code: int) -> None:
    coordinator = Coordinator([code])
    with pytest.raises(FencedError, match="dropped"):
        commit(coordinator)
    assert len(coordinator.requests) == 1


@pytest.mark.parametrize("code", [15, 16, 7])
def test_a_coordinator_that_moved_is_looked_for_and_asked_again(code: int) -> None:
    coordinator = Coordinator([code, 0])
    commit(coordinator)
    assert (coordinator.died, len(coordinator.requests)) == (1, 2)


def test_a_coordinator_that_loads_is_asked_again() -> None:
    coordinator = Coordinator([14, 14, 0])
    commit(coordinator)
    assert (coordinator.died, len(coordinator.requests)) == (0, 3)


def test_a_lost_connection_is_tried_again() -> None:
    coordinator = Coordinator([kafka_errors.NodeNotReadyError(), 0])
    commit(coordinator)
    assert len(coordinator.requests) == 2


@pytest.mark.parametrize(
    "answer", [12, 30, kafka_errors.IllegalStateError()], ids=["too large", "not allowed", "other"]
)
def test_a_commit_that_cannot_succeed_is_an_error(answer: int | Exception) -> None:
    with pytest.raises(BrokerError):
        commit(Coordinator([answer]))
