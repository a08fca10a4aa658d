"""Folders of a spool: one process each, and none forgotten."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from inferometer.errors import ConfigError
from inferometer.sdk.spool.slots import abandoned, claim

if TYPE_CHECKING:
    from pathlib import Path


def test_two_holders_never_share_a_folder(tmp_path: Path) -> None:
    first, second = claim(tmp_path / "spool"), claim(tmp_path / "spool")
    assert (first.folder.name, second.folder.name) == ("0", "1")
    first.release()
    third = claim(tmp_path / "spool")
    assert third.folder == first.folder
    assert (third.folder / "lock").read_text() == str(os.getpid())


def test_only_folders_that_hold_something_and_that_nobody_holds_are_taken_over(
    tmp_path: Path,
) -> None:
    slots = [claim(tmp_path) for _ in range(3)]
    for slot in slots[:2]:
        (slot.folder / f"{0:020d}.segment").touch()
    slots[1].release()
    slots[2].release()
    taken = list(abandoned(tmp_path))
    assert [slot.folder.name for slot in taken] == ["1"]
    assert list(abandoned(tmp_path)) == []


def test_a_folder_that_cannot_be_made_is_a_problem_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="choose another folder"):
        claim(tmp_path / "file")


def test_nobody_else_may_read_the_spool(tmp_path: Path) -> None:
    slot = claim(tmp_path / "spool")
    assert slot.folder.stat().st_mode & 0o077 == 0
    assert (tmp_path / "spool").stat().st_mode & 0o077 == 0
