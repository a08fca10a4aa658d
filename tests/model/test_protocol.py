"""No interleaving of two workers, a group and a store loses or doubles a record."""

from __future__ import annotations

import pytest

from tests.model.explorer import SpaceTooLargeError, explore
from tests.model.protocol import Protocol
from tests.model.rules import Bounds, Lease, Rules
from tests.model.world import Table


def states_of(bounds: Bounds, rules: Rules | None = None) -> int:
    """Return how many states were seen, none of them wrong."""
    found = explore(Protocol(rules or Rules(), bounds))
    print(
        f"{bounds}: {found.states} states, {found.transitions} transitions, {found.finished} ends"
    )
    assert found.fault is None, found.trace
    assert found.finished > 0
    return found.states


def test_crashes_rebalances_and_late_inserts_neither_lose_nor_double() -> None:
    assert states_of(Bounds(records=3)) > 50_000


def test_offsets_that_expire_or_go_back_neither_lose_nor_double() -> None:
    assert states_of(Bounds(records=2, losses=1, in_flight=0)) > 20_000


def test_offsets_lost_twice_neither_lose_nor_double_where_no_insert_is_late() -> None:
    # Where one is, two chunks with one beginning may both have begun: the limit of any protocol
    # whose store has no compare-and-set. `python -m tests.model --records 2 --losses 2` tells it.
    bounds = Bounds(records=2, losses=2, in_flight=0)
    assert states_of(bounds, Rules(lease=Lease.IDEAL)) > 50_000


def test_a_topic_made_anew_neither_loses_nor_doubles() -> None:
    assert states_of(Bounds(records=2, remakes=1, records_anew=1, in_flight=0)) > 30_000


def test_log_rows_and_roll_ups_may_land_in_either_order() -> None:
    # They are inserted side by side.
    order = (Table.INTENTS, Table.ROLLUP, Table.LOG, Table.LEDGER)
    assert states_of(Bounds(records=2), Rules(order=order)) > 10_000


def test_what_the_lease_leaves_open_the_tokens_close() -> None:
    assert states_of(Bounds(records=2), Rules(lease=Lease.NONE)) > 10_000


def test_where_no_insert_is_late_a_token_is_needed_for_its_own_repetition_only() -> None:
    assert states_of(Bounds(records=3), Rules(lease=Lease.IDEAL, token_window=1)) > 5_000


def test_a_space_beyond_the_limit_is_said_and_not_cut() -> None:
    with pytest.raises(SpaceTooLargeError, match="more than 100"):
        explore(Protocol(Rules(), Bounds(records=2)), limit=100)
