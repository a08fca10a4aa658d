from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from inferometer.clickhouse.memory_file import MemoryFile

pytestmark = pytest.mark.skipif(not MemoryFile.is_possible(), reason="needs memory files")


def table(rows: int) -> pa.Table:
    words = pa.array([f"word {number % 7}" for number in range(rows)]).dictionary_encode()
    return pa.table({"number": pa.array(range(rows), pa.int64()), "word": words})


def read(path: str) -> pa.Table:
    with Path(path).open("rb") as file, pa.ipc.open_stream(file) as stream:
        return stream.read_all()


@pytest.mark.parametrize("sizes", [(0,), (10, 3, 1), (1, 100_000, 2, 200_000, 1)])
def test_each_table_is_read_as_it_was_written_whatever_was_there_before(
    sizes: tuple[int, ...],
) -> None:
    memory = MemoryFile()
    for rows in sizes:
        with memory.holding(table(rows)) as path:
            assert read(path).equals(table(rows))
    memory.close()


def test_a_table_that_failed_leaves_the_file_usable() -> None:
    memory = MemoryFile()
    with pytest.raises(ZeroDivisionError), memory.holding(table(5)):
        raise ZeroDivisionError
    with memory.holding(table(3)) as path:
        assert read(path).num_rows == 3
    memory.close()


def test_a_closed_file_starts_anew() -> None:
    memory = MemoryFile()
    for _ in range(2):
        with memory.holding(table(3)) as path:
            assert read(path).num_rows == 3
        memory.close()
        memory.close()
