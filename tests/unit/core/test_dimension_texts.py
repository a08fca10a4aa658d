from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.dimension_texts import TextSet

TEXTS = st.lists(st.text(max_size=12), max_size=40)


@given(additions=st.lists(TEXTS, max_size=6), asked=TEXTS)
def test_places_are_those_of_a_list_without_repetitions(
    additions: list[list[str]], asked: list[str]
) -> None:
    texts, known = TextSet(), dict[str, int]()
    for added in additions:
        texts.add(pa.array(added, pa.string()))
        for text in added:
            known.setdefault(text, len(known))
    assert len(texts) == len(known)
    everything = [*asked, *known]
    found = texts.places(pa.array(everything, pa.string())).tolist()
    assert found == [known.get(text, -1) for text in everything]


def test_a_slice_of_an_array_is_what_it_shows() -> None:
    texts = TextSet()
    texts.add(pa.array(["a", "bb", "ccc", "d"])[1:3])
    assert texts.places(pa.array(["zz", "bb", "ccc", "a", "d"])[1:]).tolist() == [0, 1, -1, -1]


def test_a_hundred_thousand_user_ids_take_fifteen_megabytes_at_most() -> None:
    texts = TextSet()
    for start in range(0, 100_000, 10_000):
        texts.add(pa.array([f"user-{n:016x}" for n in range(start, start + 10_000)]))
    assert len(texts) == 100_000
    assert texts.size_bytes < 15_000_000
