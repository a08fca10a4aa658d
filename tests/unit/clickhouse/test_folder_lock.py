from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from inferometer.clickhouse.folder_lock import LOCK_FILE, FolderLock, is_owned
from inferometer.errors import StoreError


def test_a_folder_has_one_owner_and_its_process_is_named(tmp_path: Path) -> None:
    with FolderLock(tmp_path), pytest.raises(StoreError, match=f"open in process {os.getpid()}"):
        FolderLock(tmp_path)


def test_a_released_folder_can_be_taken_again(tmp_path: Path) -> None:
    first = FolderLock(tmp_path)
    first.release()
    first.release()
    FolderLock(tmp_path).release()


def test_a_folder_that_is_not_there_says_what_next(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="choose another --data"):
        FolderLock(tmp_path / "nowhere")


def test_a_lock_that_cannot_be_written_is_an_error_of_the_store(tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).symlink_to("/dev/full")
    with pytest.raises(StoreError, match=r"cannot write to .*; choose another --data"):
        FolderLock(tmp_path)


def test_whoever_looks_for_an_owner_leaves_no_trace_and_stops_nobody_who_looks(
    tmp_path: Path,
) -> None:
    assert not is_owned(tmp_path)
    assert list(tmp_path.iterdir()) == []
    with FolderLock(tmp_path):
        assert is_owned(tmp_path)
    with (tmp_path / LOCK_FILE).open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        assert not is_owned(tmp_path)


def test_a_folder_that_cannot_be_written_to_is_not_owned(tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).mkdir()
    with pytest.raises(StoreError, match="cannot write to"):
        FolderLock(tmp_path)
    assert not is_owned(tmp_path)
