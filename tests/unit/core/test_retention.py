from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.retention import (
    LogSpan,
    RetentionLevel,
    RetentionPolicy,
    TopicRetention,
    UnreadPart,
    unread_part,
)

HOUR_MS = 3_600_000
NOW_MS = 1_790_000_000_000


def measured(
    *,
    position: int = 100,
    next_offset: int = 100,
    span: LogSpan = LogSpan(0, 200),  # noqa: B008 - frozen
    age_ms: int | None = HOUR_MS,
    record_bytes: float = 0.0,
    retention: TopicRetention = TopicRetention(),  # noqa: B008 - frozen
) -> UnreadPart:
    return unread_part(
        position=position,
        next_offset=next_offset,
        span=span,
        oldest_append_ms=None if age_ms is None else NOW_MS - age_ms,
        record_bytes=record_bytes,
        retention=retention,
        now_ms=NOW_MS,
    )


def test_the_lag_is_what_lies_between_position_and_end() -> None:
    found = measured(position=120, span=LogSpan(0, 200))
    assert (found.records, found.age_s) == (80, 3600.0)


def test_a_partition_that_is_read_to_its_end_uses_nothing() -> None:
    found = measured(position=200, retention=TopicRetention(age_ms=HOUR_MS, size_bytes=1))
    assert found == UnreadPart(records=0, age_s=0.0, used_ratio=0.0, only_here=0, lost=0)


def test_age_counts_as_a_share_of_the_retention() -> None:
    assert measured(retention=TopicRetention(age_ms=4 * HOUR_MS)).used_ratio == 0.25


def test_size_counts_as_a_share_of_the_retention() -> None:
    retention = TopicRetention(size_bytes=100_000)
    assert measured(record_bytes=800.0, retention=retention).used_ratio == 0.8


def test_the_worse_of_age_and_size_counts() -> None:
    retention = TopicRetention(age_ms=2 * HOUR_MS, size_bytes=100_000)
    assert measured(record_bytes=100.0, retention=retention).used_ratio == 0.5


def test_a_topic_without_limits_is_never_used_up() -> None:
    assert measured(age_ms=10_000 * HOUR_MS, record_bytes=1e12).used_ratio == 0.0


def test_an_age_that_nobody_knows_counts_as_none() -> None:
    assert measured(age_ms=None, retention=TopicRetention(age_ms=1)).used_ratio == 0.0


def test_a_topic_that_keeps_nothing_is_used_up_by_whatever_is_unread() -> None:
    assert measured(retention=TopicRetention(age_ms=0)).used_ratio == 1.0


def test_records_that_were_dropped_before_they_were_fetched_are_lost() -> None:
    found = measured(position=100, next_offset=120, span=LogSpan(150, 200))
    assert (found.only_here, found.lost) == (20, 30)


def test_records_that_were_dropped_after_they_were_fetched_are_only_here() -> None:
    found = measured(position=100, next_offset=180, span=LogSpan(150, 200))
    assert (found.only_here, found.lost) == (50, 0)


@pytest.mark.parametrize(
    ("used_ratio", "level"),
    [
        (0.0, RetentionLevel.FINE),
        (0.499, RetentionLevel.FINE),
        (0.5, RetentionLevel.WARNING),
        (0.799, RetentionLevel.WARNING),
        (0.8, RetentionLevel.CRITICAL),
        (3.0, RetentionLevel.CRITICAL),
    ],
)
def test_half_of_the_retention_warns_and_four_fifths_are_critical(
    used_ratio: float, level: RetentionLevel
) -> None:
    assert RetentionPolicy().level(used_ratio) is level


@given(
    position=st.integers(0, 1000),
    fetched=st.integers(0, 500),
    start=st.integers(0, 1500),
    kept=st.integers(0, 1500),
)
def test_what_the_broker_dropped_is_either_lost_or_only_here(
    position: int, fetched: int, start: int, kept: int
) -> None:
    span = LogSpan(start, start + kept)
    found = measured(position=position, next_offset=position + fetched, span=span)
    assert found.lost + found.only_here == max(0, start - position)


@given(older=st.integers(0, 10**9), position=st.integers(0, 200))
def test_the_ratio_never_falls_while_nothing_is_read(older: int, position: int) -> None:
    retention = TopicRetention(age_ms=HOUR_MS, size_bytes=10**6)
    now = measured(position=position, age_ms=HOUR_MS, record_bytes=10, retention=retention)
    later = measured(
        position=position, age_ms=HOUR_MS + older, record_bytes=10, retention=retention
    )
    assert later.used_ratio >= now.used_ratio
