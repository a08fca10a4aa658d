from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inferometer.clickhouse.orphan_tokens import LAST_NOTES, revoke_orphan_tokens

if TYPE_CHECKING:
    from pathlib import Path

TABLE = "0f4d1a2c-93a5-4b4c-8f4e-2a1d6f9d1c11"


def table(engine: Path, *, notes: str, parts: str = "", log: int = 1, uuid: str = TABLE) -> Path:
    """Make a table's folder from notes `operation/part/id` and the names of its parts."""
    folder = engine / "store" / uuid[:3] / uuid
    logs = folder / "deduplication_logs"
    logs.mkdir(parents=True, exist_ok=True)
    lines = [note.replace("/", "\t") + "\n" for note in notes.split()]
    (logs / f"deduplication_log_{log}.txt").write_text("".join(lines))
    for part in parts.split():
        (folder / part).mkdir(parents=True, exist_ok=True)
    return folder


def revoked(engine: Path) -> list[str]:
    return [orphan.block_id for orphan in revoke_orphan_tokens(engine)]


def log_of(folder: Path, number: int = 1) -> list[str]:
    return (folder / "deduplication_logs" / f"deduplication_log_{number}.txt").read_text().split()


def test_a_note_without_its_part_is_revoked_as_clickhouse_would(tmp_path: Path) -> None:
    folder = table(tmp_path, notes="1/all_1_1_0/a 1/all_2_2_0/b", parts="all_1_1_0")
    assert revoked(tmp_path) == ["b"]
    assert log_of(folder)[-3:] == ["2", "all_2_2_0", "b"]


def test_a_second_run_finds_nothing(tmp_path: Path) -> None:
    table(tmp_path, notes="1/all_1_1_0/a")
    assert revoked(tmp_path) == ["a"]
    assert revoked(tmp_path) == []


@pytest.mark.parametrize(
    "part",
    ["all_1_1_0", "all_0_5_2", "all_1_1_0_7", "all_1_9_1_12"],
    ids=["itself", "merged", "changed by a mutation", "merged and changed"],
)
def test_a_part_that_covers_the_note_keeps_it(tmp_path: Path, part: str) -> None:
    table(tmp_path, notes="1/all_1_1_0/a", parts=part)
    assert revoked(tmp_path) == []


@pytest.mark.parametrize(
    "part",
    [
        "all_2_9_1",
        "20260101_1_1_0",
        "tmp_insert_all_1_1_0",
        "tmp_merge_all_1_1_1",
        "delete_tmp_all_1_1_0",
        "detached/all_1_1_0",
        "detached/broken-on-start_all_1_1_0",
    ],
    ids=[
        "later blocks",
        "another day",
        "not yet renamed",
        "merge that was not finished",
        "being deleted",
        "detached",
        "broken",
    ],
)
def test_other_folders_do_not_keep_a_note(tmp_path: Path, part: str) -> None:
    table(tmp_path, notes="1/all_1_1_0/a", parts=part)
    assert revoked(tmp_path) == ["a"]


def test_a_part_that_was_dropped_is_no_orphan(tmp_path: Path) -> None:
    table(tmp_path, notes="1/all_1_1_0/a 2/all_1_1_0/a")
    assert revoked(tmp_path) == []


def test_a_token_that_was_free_and_taken_again_is_judged_by_its_last_part(tmp_path: Path) -> None:
    table(tmp_path, notes="1/all_1_1_0/a 2/all_1_1_0/a 1/all_2_2_0/a", parts="all_2_2_0")
    assert revoked(tmp_path) == []


def test_of_an_insert_over_days_only_the_unfinished_day_is_revoked(tmp_path: Path) -> None:
    notes = "1/20260101_1_1_0/20260101_a 1/20260102_2_2_0/20260102_a"
    table(tmp_path, notes=notes, parts="20260101_1_1_0")
    assert revoked(tmp_path) == ["20260102_a"]


def test_each_table_is_looked_at(tmp_path: Path) -> None:
    other = "aaad1a2c-93a5-4b4c-8f4e-2a1d6f9d1c11"
    table(tmp_path, notes="1/all_1_1_0/a")
    table(tmp_path, notes="1/all_1_1_0/b", uuid=other)
    database = tmp_path / "store" / "bbb" / "bbbd1a2c-93a5-4b4c-8f4e-2a1d6f9d1c11"
    database.mkdir(parents=True)
    (database / "requests.sql").write_text(f"ATTACH TABLE _ UUID '{other}'\n(x Int8)")
    assert [orphan.table for orphan in revoke_orphan_tokens(tmp_path)] == [TABLE, "requests"]


def test_after_a_rotation_older_notes_count_and_the_newest_log_is_written(tmp_path: Path) -> None:
    table(tmp_path, notes="1/all_1_1_0/a 1/all_2_2_0/b", parts="all_1_1_0", log=9)
    folder = table(tmp_path, notes="", log=10)
    assert revoked(tmp_path) == ["b"]
    assert log_of(folder, 10) == ["2", "all_2_2_0", "b"]


def test_notes_long_past_are_left_alone(tmp_path: Path) -> None:
    recent = " ".join(f"1/all_{number}_{number}_0/{number}" for number in range(2, LAST_NOTES + 2))
    table(tmp_path, notes=f"1/expired_1_1_0/old {recent}", parts=f"all_2_{LAST_NOTES + 1}_3")
    assert revoked(tmp_path) == []


def test_a_note_cut_off_in_the_middle_is_taken_away(tmp_path: Path) -> None:
    folder = table(tmp_path, notes="1/all_1_1_0/a", parts="all_1_1_0")
    with (folder / "deduplication_logs" / "deduplication_log_1.txt").open("a") as log:
        log.write("1\tall_2_2")
    assert revoked(tmp_path) == []
    assert log_of(folder) == ["1", "all_1_1_0", "a"]


def test_a_folder_without_tables_is_fine(tmp_path: Path) -> None:
    assert revoked(tmp_path / "absent") == []
