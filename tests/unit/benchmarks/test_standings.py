"""Medians, spreads and ratios of a race."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.benchmarks.contest import Run
from tests.benchmarks.contestants import Contestant, all_contestants, always_available
from tests.benchmarks.race import Entry, entries
from tests.benchmarks.standings import conditions_of_runs, standing, tables, to_json
from tests.benchmarks.tabular import markdown

OURS = Contestant(
    name="ours", title="Ours", work="all", guarantee="exactly once", late_data="kept",
    settings="defaults", unavailable=always_available, prepare=lambda _folder: None,
    command=lambda _place: [], is_stored=True, shapes=("lean", "full"), kind="ours",
)  # fmt: skip
PEER = replace(
    OURS, name="peer", title="A peer", kind="peer", shapes=("lean",), one_in=4, is_stored=False
)


def run(rate: float, *, dropped: int = 0, beside_cpu_s: float = 0.0) -> Run:
    return Run(
        events=1000, user_s=750 / rate, system_s=250 / rate, wall_s=2000 / rate,
        peak_rss_bytes=5_000_000, counted=2000 - dropped, dropped=dropped,
        beside_cpu_s=beside_cpu_s, others_cores=0.25,
    )  # fmt: skip


def ran(contestant: Contestant, *runs: Run) -> Entry:
    return Entry(contestant, "lean", 2000, bytes_an_event=240.0, runs=list(runs))


def test_a_standing_is_the_median_with_its_spread() -> None:
    found = standing(ran(OURS, run(100.0), run(400.0), run(200.0)))
    assert (found.median, found.least, found.most) == pytest.approx((200.0, 100.0, 400.0))
    assert found.wall == pytest.approx(100.0)
    assert found.system_share == pytest.approx(0.25)


def test_what_runs_beside_is_shown_apart() -> None:
    found = standing(ran(OURS, run(100.0, beside_cpu_s=10.0)))
    assert found.median == pytest.approx(100.0)
    assert found.with_beside == pytest.approx(50.0)
    assert standing(ran(OURS, run(100.0))).with_beside is None


def test_ratios_say_how_many_times_as_fast_ours_is() -> None:
    figures, _ = tables([ran(OURS, run(300.0)), ran(PEER, run(60.0), run(50.0), run(100.0))])
    place = figures.headers.index("ours is, whole")
    assert [row[place] for row in figures.rows] == ["1.00 x", "5.00 x"]


def test_a_ratio_to_what_has_not_run_is_left_out() -> None:
    figures, _ = tables([ran(PEER, run(60.0))])
    assert figures.rows[0][figures.headers.index("ours is, whole")] == "-"


def test_who_cannot_run_is_shown_with_the_reason() -> None:
    absent = Entry(PEER, "lean", 500, reason="needs Java 17: apt-get install it\nsecond line")
    figures, what = tables([ran(OURS, run(300.0)), absent])
    assert "not run" in figures.rows[1]
    assert "A peer: needs Java 17: apt-get install it" in figures.notes
    assert what.rows[1][-1] == "needs Java 17: apt-get install it"


def test_late_data_that_was_dropped_is_told() -> None:
    figures, _ = tables([ran(PEER, run(60.0, dropped=500))])
    assert figures.rows[0][-1] == "25% dropped"


def test_each_shape_has_its_table() -> None:
    found = tables([ran(OURS, run(300.0)), replace(ran(OURS, run(100.0)), shape="full")])
    assert [table.title for table in found] == ["Lean events", "Full events", "What each did"]


def test_slow_contestants_read_a_part_of_the_events() -> None:
    found = entries([OURS, PEER], ("lean", "full"), {"lean": 800, "full": 400})
    assert [(e.contestant.name, e.shape, e.events) for e in found] == [
        ("ours", "lean", 800),
        ("peer", "lean", 200),
        ("ours", "full", 400),
    ]


def test_the_json_holds_every_run() -> None:
    document = json.loads(to_json([ran(OURS, run(300.0), run(200.0))], {"cores": "2"}))
    (entry,) = document["entries"]
    assert document["conditions"] == {"cores": "2"}
    assert entry["events_per_cpu_s"] == 250
    assert [round(each["cpu_s"], 3) for each in entry["runs"]] == [3.333, 5.0]


def test_the_page_has_tables_and_conditions() -> None:
    entry = ran(OURS, run(300.0))
    page = markdown("The race", tables([entry]), conditions_of_runs([entry]))
    assert page.startswith("# The race\n\n## Lean events\n\n| contestant | ")
    assert "| Ours | 0.3 |" in page
    assert "cores taken by others" in page


def test_names_of_contestants_are_unique() -> None:
    names = [each.name for each in all_contestants()]
    assert len(names) == len(set(names))
