from __future__ import annotations

import pytest

from inferometer.clickhouse.retention import TableRetention


@pytest.mark.parametrize(
    ("clause", "days", "differs"),
    [
        ("toDateTime(ts_end) + toIntervalDay(14)", 14, False),
        ("window_start + toIntervalDay(7)", 7, True),
        # What somebody else wrote is neither read nor replaced.
        ("", None, False),
        ("toDateTime(ts_end) + toIntervalMonth(2)", None, False),
        ("toDateTime(ts_end) + toIntervalDay(14) TO VOLUME 'cold'", None, False),
        (
            "toDateTime(ts_end) + toIntervalDay(3) TO VOLUME 'cold', "
            "toDateTime(ts_end) + toIntervalDay(60)",
            None,
            False,
        ),
        ("toDateTime(ts_end) + toIntervalDay(3) WHERE model = ''", None, False),
    ],
)
def test_only_a_clause_as_migrations_write_it_has_days(
    clause: str, days: int | None, differs: bool
) -> None:
    kept = TableRetention("requests", 14, clause)
    assert (kept.days, kept.differs) == (days, differs)


def test_a_change_keeps_the_column_that_rows_age_by() -> None:
    kept = TableRetention("requests", 30, "toDateTime(ts_end) + toIntervalDay(14)")
    assert kept.change() == "ALTER TABLE requests MODIFY TTL toDateTime(ts_end) + INTERVAL 30 DAY"
