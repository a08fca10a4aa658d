"""The journal on a disk that refuses, and what it forces to the disk when."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from inferometer.sdk.items import Item
from inferometer.sdk.spool.frames import Frame
from inferometer.sdk.spool.journal import Fsync, Journal
from inferometer.sdk.spool.slots import SEGMENT_SUFFIX

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import resource, sys
from pathlib import Path
from inferometer.sdk.items import Item
from inferometer.sdk.spool.journal import Fsync, Journal

journal = Journal(
    Path(sys.argv[1]), max_bytes=1 << 20, fsync=Fsync.NEVER, fsync_interval_s=1.0,
    monotonic=lambda: 0.0, now_ms=lambda: 0,
)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, resource.RLIM_INFINITY))
for number in range(30):
    try:
        journal.append([Item(b"%d" % number, b"k" * 40)])
    except OSError:
        print("refused", number)
        if number > 20:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    else:
        print(number)
"""


def new_journal(folder: Path, fsync: Fsync = Fsync.NEVER, now_s: float = 0.0) -> Journal:
    return Journal(
        folder,
        max_bytes=1 << 20,
        fsync=fsync,
        fsync_interval_s=1.0,
        monotonic=lambda: now_s,
        now_ms=lambda: 0,
    )


def everything(journal: Journal) -> list[bytes]:
    found: list[bytes] = []
    position = 0
    while frames := journal.read(position):
        assert all(isinstance(each, Frame) for each in frames)
        found += [each.item.value for each in frames if isinstance(each, Frame)]
        position = frames[-1].end
    return found


def test_a_write_that_the_disk_cuts_short_leaves_what_was_written_before_and_after(
    tmp_path: Path,
) -> None:
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.splitlines()
    written = [line for line in told if not line.startswith("refused")]
    assert 20 < len(written) < 30, "some were refused"
    assert [value.decode() for value in everything(new_journal(tmp_path))] == written


def test_a_value_larger_than_a_read_is_read_whole(tmp_path: Path) -> None:
    journal = Journal(
        tmp_path,
        max_bytes=64 << 20,
        fsync=Fsync.BATCH,
        fsync_interval_s=1.0,
        monotonic=lambda: 0.0,
        now_ms=lambda: 0,
    )
    values = [b"small", b"x" * 5_000_000, b"after"]
    journal.append([Item(value) for value in values])
    assert everything(journal) == values


@pytest.mark.parametrize("fsync", list(Fsync))
def test_every_policy_writes_the_same(tmp_path: Path, fsync: Fsync) -> None:
    journal = new_journal(tmp_path, fsync, now_s=5.0)
    journal.append([Item(b"1"), Item(b"2")])
    journal.sync_when_due(0)
    journal.close(0)
    assert everything(new_journal(tmp_path)) == [b"1", b"2"]


def test_a_segment_that_grows_is_read_up_to_its_last_whole_frame(tmp_path: Path) -> None:
    writer = new_journal(tmp_path)
    writer.append([Item(b"1"), Item(b"2")])
    assert everything(writer) == [b"1", b"2"]
    end = writer.end
    writer.append([Item(b"3")])
    (found,) = writer.read(end)
    assert isinstance(found, Frame)
    assert found.item.value == b"3"


def test_what_the_disk_takes_and_cannot_keep_stands_nowhere(tmp_path: Path) -> None:
    journal = new_journal(tmp_path, Fsync.BATCH)
    # It takes every write, and refuses to be forced.
    segment = tmp_path / f"{0:020d}{SEGMENT_SUFFIX}"
    segment.symlink_to("/dev/null")
    with pytest.raises(OSError, match="Invalid argument"):
        journal.append([Item(b"1")])
    assert (journal.end, everything(journal)) == (0, [])
    segment.unlink()
    journal.append([Item(b"2")])
    assert everything(journal) == [b"2"]
    journal.close(0)
    assert everything(new_journal(tmp_path)) == [b"2"]


def test_a_segment_that_somebody_cut_short_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    journal = new_journal(tmp_path)
    journal.append([Item(b"1"), Item(b"2")])
    (segment,) = tmp_path.glob(f"*{SEGMENT_SUFFIX}")
    first, second = journal.read(0)
    os.truncate(segment, first.end)
    assert journal.read(first.end) == []
    os.truncate(segment, 0)
    assert journal.read(0) == []
    assert second.end == journal.end
