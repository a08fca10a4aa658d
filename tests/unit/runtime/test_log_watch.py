"""When the lag is shown, and when it is said aloud."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from inferometer.core.retention import LogSpan, TopicRetention
from inferometer.errors import BrokerError
from inferometer.kafka.status import PartitionStatus, WorkerStatus
from inferometer.runtime.log_watch import RETENTION_EVERY_S, SAY_AGAIN_S, LogWatch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inferometer.prometheus.readings import PartitionLag

START = datetime(2026, 1, 1, tzinfo=UTC)
START_MS = int(START.timestamp() * 1000)
HOUR_S = 3600.0


@dataclass
class FakeLog:
    """A broker with one topic, as the test says it is."""

    held: dict[int, LogSpan]
    kept: TopicRetention | None = None
    appended_ms: dict[tuple[int, int], int] = field(default_factory=dict)
    is_away: bool = False
    asked: list[tuple[int, int]] = field(default_factory=list)

    def spans(self, partitions: Iterable[int]) -> dict[int, LogSpan]:
        if self.is_away:
            raise BrokerError("no broker", retryable=True)
        return {number: self.held[number] for number in partitions}

    def append_ms(self, partition: int, offset: int) -> int | None:
        self.asked.append((partition, offset))
        return self.appended_ms.get((partition, offset))

    def retention(self) -> TopicRetention:
        if self.kept is None:
            raise BrokerError("not allowed", retryable=True)
        return self.kept


@dataclass
class Watched:
    """A watch over one partition, with clocks and a display that the test reads."""

    log: FakeLog = field(default_factory=lambda: FakeLog({0: LogSpan(0, 200)}))
    position: int = 100
    next_offset: int = 150
    age_s: float | None = HOUR_S
    elapsed_s: float = 0.0
    partitions: tuple[int, ...] = (0,)
    shown: dict[int, PartitionLag] = field(default_factory=dict)
    only_here: int = 0

    def __post_init__(self) -> None:
        self.watch = LogWatch(
            log=self.log,
            status=self.status,
            display=self,
            clock=lambda: START + timedelta(seconds=self.elapsed_s),
            monotonic=lambda: self.elapsed_s,
        )

    def status(self) -> WorkerStatus:
        oldest_ms = None if self.age_s is None else START_MS - int(self.age_s * 1000)
        return WorkerStatus(
            fetched_records=10,
            fetched_bytes=1000,
            partitions=tuple(
                PartitionStatus("requests", number, self.position, self.next_offset, oldest_ms)
                for number in self.partitions
            ),
        )

    def show_lag(self, lags: Iterable[PartitionLag], *, only_here: int, read_at_s: float) -> None:
        assert read_at_s == START.timestamp() + self.elapsed_s
        self.shown = {lag.partition: lag for lag in lags}
        self.only_here = only_here

    def look(self, after_s: float = 0.0) -> None:
        self.elapsed_s += after_s
        self.watch.look()


def keeping(hours: float) -> FakeLog:
    kept = TopicRetention(age_ms=int(hours * HOUR_S * 1000))
    return FakeLog({0: LogSpan(0, 200)}, kept)


def said(caplog: pytest.LogCaptureFixture) -> list[int]:
    return [record.levelno for record in caplog.records]


@pytest.fixture(autouse=True)
def _everything_is_heard(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="inferometer")


def test_the_lag_is_shown_in_records_and_seconds() -> None:
    watched = Watched(keeping(hours=10))
    watched.look()
    assert (watched.shown[0].records, watched.shown[0].age_s) == (100, HOUR_S)
    assert watched.shown[0].retention_used_ratio == 0.1


def test_the_age_of_what_was_never_fetched_is_asked_of_the_broker_once() -> None:
    log = keeping(hours=10)
    log.appended_ms[(0, 100)] = START_MS - 5_000
    watched = Watched(log, age_s=None)
    watched.look()
    watched.look(after_s=10)
    assert watched.shown[0].age_s == 15.0
    assert log.asked == [(0, 100)]


def test_a_partition_at_its_end_asks_for_nothing() -> None:
    watched = Watched(keeping(hours=10), position=200, next_offset=200, age_s=None)
    watched.look()
    assert (watched.shown[0].records, watched.shown[0].age_s) == (0, 0.0)
    assert watched.log.asked == []


def test_size_counts_by_what_was_fetched_on_average() -> None:
    watched = Watched(FakeLog({0: LogSpan(0, 200)}, TopicRetention(size_bytes=40_000)))
    watched.look()
    assert watched.shown[0].retention_used_ratio == 0.25


def test_below_half_of_the_retention_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    Watched(keeping(hours=2.1)).look()
    assert said(caplog) == []


def test_half_of_the_retention_is_a_warning_with_fields(caplog: pytest.LogCaptureFixture) -> None:
    Watched(keeping(hours=2)).look()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "used 50 % of what the topic keeps" in record.getMessage()
    fields = vars(record)
    assert (fields["topic"], fields["partition"], fields["offset"]) == ("requests", 0, 100)
    assert (fields["lag_records"], fields["retention_used_ratio"]) == (100, 0.5)
    assert fields["reason"] == "retention"


def test_four_fifths_of_the_retention_are_an_error(caplog: pytest.LogCaptureFixture) -> None:
    Watched(keeping(hours=1.25)).look()
    assert said(caplog) == [logging.ERROR]


def test_what_was_said_is_not_repeated_at_once(caplog: pytest.LogCaptureFixture) -> None:
    watched = Watched(keeping(hours=2))
    watched.look()
    watched.look(after_s=10)
    assert said(caplog) == [logging.WARNING]
    watched.look(after_s=SAY_AGAIN_S)
    assert said(caplog) == [logging.WARNING, logging.WARNING]


def test_what_becomes_worse_is_said_at_once(caplog: pytest.LogCaptureFixture) -> None:
    watched = Watched(keeping(hours=2))
    watched.look()
    watched.age_s = 1.7 * HOUR_S
    watched.look(after_s=10)
    assert said(caplog) == [logging.WARNING, logging.ERROR]


def test_the_end_of_an_alarm_is_said(caplog: pytest.LogCaptureFixture) -> None:
    watched = Watched(keeping(hours=2))
    watched.look()
    watched.age_s = 1.0
    watched.look(after_s=10)
    watched.look(after_s=10)
    assert said(caplog) == [logging.WARNING, logging.INFO]


def test_records_that_are_lost_are_said_loudly(caplog: pytest.LogCaptureFixture) -> None:
    watched = Watched(FakeLog({0: LogSpan(180, 200)}, TopicRetention()))
    watched.look()
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "30 records were dropped by the broker before they were read" in record.getMessage()


def test_records_that_only_this_worker_holds_are_said(caplog: pytest.LogCaptureFixture) -> None:
    watched = Watched(FakeLog({0: LogSpan(130, 200)}, TopicRetention()))
    watched.look()
    assert watched.only_here == 30
    assert said(caplog) == [logging.ERROR]
    assert "memory holds" in caplog.text


def test_a_broker_that_is_away_is_said_once_and_leaves_the_display(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watched = Watched(keeping(hours=10))
    watched.look()
    watched.log.is_away = True
    watched.look(after_s=10)
    watched.look(after_s=10)
    assert said(caplog) == [logging.WARNING]
    assert watched.shown[0].records == 100


def test_without_the_right_to_ask_the_lag_is_shown_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watched = Watched()
    watched.look()
    watched.look(after_s=RETENTION_EVERY_S)
    assert watched.shown[0].records == 100
    assert watched.shown[0].retention_used_ratio is None
    assert said(caplog) == [logging.WARNING]
    assert "grant the worker DescribeConfigs" in caplog.text


def test_a_retention_that_was_raised_is_noticed() -> None:
    watched = Watched(keeping(hours=2))
    watched.look()
    watched.log.kept = TopicRetention()
    watched.look(after_s=RETENTION_EVERY_S)
    assert watched.shown[0].retention_used_ratio == 0.0


def test_a_partition_that_moved_away_begins_anew_when_it_returns(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watched = Watched(keeping(hours=2))
    watched.look()
    watched.partitions = ()
    watched.look(after_s=1)
    assert watched.shown == {}
    watched.partitions = (0,)
    watched.look(after_s=1)
    assert said(caplog) == [logging.WARNING, logging.WARNING]
