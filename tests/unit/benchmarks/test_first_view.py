"""The pure half of the first views: what a page's row says of its views."""

from __future__ import annotations

from tests.benchmarks.first_view import LINK, View, table_of


def test_a_page_is_quick_by_its_median_and_shows_its_worst() -> None:
    quick = [View(ms, 14, 500_000) for ms in (400.0, 900.0, 2_500.0)]
    slow = [View(ms, 12, 130_000) for ms in (400.0, 1_000.0, 1_100.0)]
    table = table_of({"overview": quick, "alerts": slow})
    assert table.rows == [
        ["overview", "3", "900", "2,500", "14", "500", "reached"],
        ["alerts", "3", "1,000", "1,100", "12", "130", "not reached"],
    ]
    assert table.facts["alerts"] == {
        "median_ms": 1_000.0,
        "worst_ms": 1_100.0,
        "most_bytes": 130_000,
    }


def test_the_token_is_read_off_the_link_that_the_demo_prints() -> None:
    said = (
        "console and query API: http://127.0.0.1:8700/overview?from=now-5m#token=imt_1_a-b\n  8 s"
    )
    found = LINK.search(said)
    assert found is not None
    assert found[1] == "imt_1_a-b"
