"""Marks survive restarts, cut lines and their own growth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferometer.sdk.spool.marks import EVERYTHING, MARKS_FILE, Marks

if TYPE_CHECKING:
    from pathlib import Path


def test_marks_are_remembered(tmp_path: Path) -> None:
    marks = Marks(tmp_path, boot=7)
    marks.note_count(0, 4)
    marks.note_acknowledged(100)
    marks.note_count(200, 8)
    again = Marks(tmp_path, boot=7)
    assert (again.acknowledged, again.counts) == (100, [(0, 4), (200, 8)])
    assert [again.count_at(position) for position in (0, 199, 200)] == [4, 4, 8]


def test_a_line_cut_at_any_byte_leaves_those_before_and_after_it(tmp_path: Path) -> None:
    marks = Marks(tmp_path, boot=7)
    marks.note_count(0, 4)
    marks.note_acknowledged(100)
    marks.close()
    data = (tmp_path / MARKS_FILE).read_bytes()
    start = data.rindex(b"\na ")
    for length in range(start, len(data) - 1):
        (tmp_path / MARKS_FILE).write_bytes(data[:length] + b"\na 150 1\n")
        again = Marks(tmp_path, boot=7)
        assert again.counts == [(0, 4)]
        assert again.acknowledged == 0
        again.note_acknowledged(120)
        assert Marks(tmp_path, boot=7).acknowledged == 120


def test_how_far_items_were_handed_over_is_believed_until_the_machine_starts_anew(
    tmp_path: Path,
) -> None:
    assert Marks(tmp_path, boot=7).handed == EVERYTHING
    Marks(tmp_path, boot=7).note_handed(300)
    assert Marks(tmp_path, boot=7).handed == 300
    assert Marks(tmp_path, boot=8).handed == EVERYTHING
    assert Marks(tmp_path, boot=8).handed == EVERYTHING, "nobody has said better since"


def test_a_system_that_cannot_tell_its_runs_apart_believes_nothing(tmp_path: Path) -> None:
    Marks(tmp_path, boot=0).note_handed(300)
    assert Marks(tmp_path, boot=0).handed == EVERYTHING


def test_no_numbers_of_partitions_means_none_was_ever_sent_by_one(tmp_path: Path) -> None:
    assert Marks(tmp_path, boot=7).count_at(5) == 0


def test_the_file_stays_small_and_keeps_what_still_matters(tmp_path: Path) -> None:
    marks = Marks(tmp_path, boot=7)
    marks.note_count(0, 4)
    marks.note_count(9_000, 8)
    for position in range(10_000):
        marks.note_acknowledged(position)
    assert (tmp_path / MARKS_FILE).stat().st_size < 70_000
    again = Marks(tmp_path, boot=7)
    assert (again.acknowledged, again.counts[-1]) == (9_999, (9_000, 8))
