from __future__ import annotations

import os
from pathlib import Path

import pytest

from inferometer.clickhouse.folder_lock import FolderLock
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
