"""The deduplication horizon: candidates by hash, certainty by the whole id."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from inferometer.core.duplicates import Horizon, hash_texts, repeated_in_chunk

ids = st.lists(st.text(max_size=6), max_size=40)


def hashes(texts: list[str]) -> NDArray[np.uint64]:
    return hash_texts(pa.array(texts, pa.string()))


@given(ids)
def test_equal_texts_hash_alike_wherever_they_stand(texts: list[str]) -> None:
    whole = hashes(["x", *texts])
    assert [hashes([text])[0] for text in texts] == whole[1:].tolist()
    sliced = hash_texts(pa.array(["x", *texts], pa.string()).slice(1))
    assert sliced.tolist() == whole[1:].tolist()


@given(ids)
def test_the_first_of_equal_ids_in_a_chunk_stays(texts: list[str]) -> None:
    repeated = repeated_in_chunk(hashes(texts), pa.array(texts, pa.string()))
    assert repeated.tolist() == [text in texts[:row] for row, text in enumerate(texts)]


def test_ids_whose_hashes_collide_are_kept_apart() -> None:
    collided = np.array([7, 7, 7], dtype=np.uint64)
    assert repeated_in_chunk(collided, pa.array(["a", "b", "a"])).tolist() == [False, False, True]


@given(st.lists(st.lists(st.integers(0, 200), max_size=20), max_size=40), st.integers(0, 40))
def test_a_horizon_names_every_earlier_hash_above_the_floor(
    chunks: list[list[int]], floor: int
) -> None:
    horizon = Horizon()
    for offset, chunk in enumerate(chunks):
        horizon.add(np.array(chunk, dtype=np.uint64), offset)
    horizon.evict(floor)
    probe = np.arange(201, dtype=np.uint64)
    must = {value for chunk in chunks[floor:] for value in chunk}
    may = {value for chunk in chunks for value in chunk}
    seen = set(np.flatnonzero(horizon.seen(probe)).tolist())
    assert must <= seen <= may


def test_a_horizon_forgets_what_lies_below_the_floor() -> None:
    horizon = Horizon()
    horizon.add(np.array([1, 2], dtype=np.uint64), 9)
    horizon.add(np.array([3], dtype=np.uint64), 19)
    horizon.evict(10)
    assert len(horizon) == 1
