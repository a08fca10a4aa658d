from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.conservation import LedgerEntry
from inferometer.core.ledger_chain import OffsetRange, chain


def entry(first: int, last: int) -> LedgerEntry:
    return LedgerEntry(first, last, 0, 0, 0, 0, 0, 1, 0)


def test_consecutive_chunks_leave_no_gap() -> None:
    links = chain([entry(0, 4), entry(5, 9)], next_offset=0)
    assert (links.gaps, links.overlaps, links.next_offset) == ((), (), 10)


def test_what_lies_between_chunks_and_in_front_of_them_is_a_gap() -> None:
    links = chain([entry(3, 4), entry(8, 9)], next_offset=0)
    assert links.gaps == (OffsetRange(0, 2), OffsetRange(5, 7))


def test_without_a_past_the_first_chunk_begins_the_chain() -> None:
    assert chain([entry(3, 4)], next_offset=None).gaps == ()


def test_offsets_of_two_chunks_overlap() -> None:
    links = chain([entry(0, 9), entry(5, 14), entry(5, 7)], next_offset=0)
    assert links.overlaps == (OffsetRange(5, 9), OffsetRange(5, 7))
    assert links.next_offset == 15


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 6)), max_size=8))
def test_every_offset_is_in_a_chunk_or_in_a_gap_and_never_in_both(
    spans: list[tuple[int, int]],
) -> None:
    entries = [entry(first, first + length) for first, length in sorted(spans)]
    links = chain(entries, next_offset=0)
    covered = {o for e in entries for o in range(e.first_offset, e.last_offset + 1)}
    gaps = [o for gap in links.gaps for o in range(gap.first, gap.last + 1)]
    assert covered.isdisjoint(gaps)
    assert covered | set(gaps) == set(range(links.next_offset))
    assert len(gaps) == len(set(gaps))
    counts = [sum(e.first_offset <= o <= e.last_offset for e in entries) for o in covered]
    assert bool(links.overlaps) == any(count > 1 for count in counts)
