"""Order, lateness, snapshots: evaluation against the same judgement over dense counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.core.alerts.conditions import Condition
from inferometer.core.slo.burn_evaluation import EXHAUSTED, SloEvaluator
from inferometer.core.slo.definitions import DAY_S, HOUR_S, MINUTE_S, Severity, Slo
from inferometer.core.slo.history_evaluation import evaluate_history
from inferometer.errors import StateError
from tests.unit.core.slo.scenes import (
    START,
    WORKBOOK,
    at_end,
    conditions,
    filled,
    slo,
    window,
)

if TYPE_CHECKING:
    from collections.abc import Iterable


SMALL = slo(
    period_s=5 * DAY_S,
    burn_windows=(
        window("page-fast", Severity.PAGE, 10 * MINUTE_S, "0.001"),
        window("day", Severity.TICKET, 12 * HOUR_S, "0.01"),
        window("long", Severity.TICKET, 4 * DAY_S, "0.05"),
    ),
)


@st.composite
def histories(draw: st.DrawFn) -> tuple[int, np.ndarray, np.ndarray]:
    """Return a start and [cell, group] totals and bads, sparse, over some days."""
    cells, groups = draw(st.integers(1, 5 * 8640 + 500)), draw(st.integers(1, 3))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    rate = draw(st.sampled_from([0.001, 0.1, 3.0]))
    totals = generator.poisson(rate, (cells, groups))
    error = np.repeat(generator.choice([0, 0.0005, 0.3], (cells // 97 + 1, groups)), 97, axis=0)
    return draw(st.integers(0, 400)) * 10, totals, generator.binomial(totals, error[:cells])


def dense(
    declared: Slo, start_s: int, totals: np.ndarray, bads: np.ndarray
) -> Iterable[tuple[int, np.ndarray, np.ndarray]]:
    for block in evaluate_history(declared, start_s, totals, bads):
        for row, tick_s in enumerate(block.ticks_s.tolist()):
            yield tick_s, block.conditions[:, row], block.severities[:, row]


@settings(max_examples=10, deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_shuffled_and_late_counts_give_what_dense_ones_give(
    history: tuple[int, np.ndarray, np.ndarray], random: object
) -> None:
    offset, totals, bads = history
    start_s = START + offset
    evaluator = SloEvaluator(SMALL, capacity=1)
    for _ in range(totals.shape[1]):
        evaluator.rings.new_group()
    generator = np.random.default_rng(len(totals))
    cells, groups = np.nonzero(totals)
    order = generator.permutation(len(cells))
    ticks = sorted({int(tick) for tick in generator.integers(1, len(totals) + 1, 8)})
    expected = {tick_s: rows for tick_s, *rows in dense(SMALL, start_s, totals, bads)}
    # Batches in any order; only the last tick has seen everything.
    for batch, tick in zip(np.array_split(order, len(ticks)), ticks, strict=True):
        evaluator.rings.add(
            groups[batch],
            start_s + 10 * cells[batch],
            totals[cells[batch], groups[batch]],
            bads[cells[batch], groups[batch]],
        )
        evaluation = evaluator.evaluate(start_s + 10 * tick)
    after = list(range(ticks[-1], len(totals) + 1))[:700:7]
    for tick in after:
        evaluation = evaluator.evaluate(start_s + 10 * tick)
        conditions_then, severities_then = expected[start_s + 10 * tick]
        assert (evaluation.conditions[:-1] == conditions_then[:-1]).all()
        is_true = conditions_then[:-1] == Condition.TRUE
        assert (evaluation.severities[:-1] == severities_then[:-1])[is_true].all()


@settings(max_examples=10, deadline=None)
@given(histories(), st.booleans())
def test_a_restored_evaluator_goes_on_as_the_old_one(
    history: tuple[int, np.ndarray, np.ndarray], is_ahead: bool
) -> None:
    offset, totals, bads = history
    start_s, groups = START + offset, totals.shape[1]
    old, new = SloEvaluator(SMALL), SloEvaluator(SMALL, capacity=1)
    cells, columns = np.nonzero(totals)
    for _ in range(groups):
        old.rings.new_group()
    hashes = (cells * 2_654_435_761 + columns).astype(np.uint32)
    old.rings.add(
        columns,
        start_s + 10 * cells,
        totals[cells, columns],
        bads[cells, columns],
        hashes,
        hashes,
    )
    middle = start_s + 10 * (len(totals) // 2 + 1)
    old.evaluate(middle)
    for group, data in old.snapshots(range(groups)).items():
        if is_ahead:
            new.rings.advance_to(middle + 50)
        assert new.rings.new_group() == group
        new.restore(group, data)
    for tick_s in range(middle + 50, middle + 5000, 490):
        first, second = old.evaluate(tick_s), new.evaluate(tick_s)
        assert (first.conditions == second.conditions).all()
        assert (first.severities == second.severities).all()
        assert old.snapshots(range(groups)) == new.snapshots(range(groups))


def test_a_far_jump_gives_what_small_steps_give() -> None:
    far, near = (filled(slo(), (3000, 10, 1), low=1, high=2) for _ in range(2))
    near.evaluate(START + 10_010)
    far.evaluate(START + 10_010)
    for tick_s in range(START + 10_010, START + 40_000, 10):
        near.rings.advance_to(tick_s)
    assert far.evaluate(START + 39_990).conditions.tolist() == (
        near.evaluate(START + 39_990).conditions.tolist()
    )
    assert far.snapshot(0) == near.snapshot(0)


def test_a_changed_set_of_windows_keeps_the_counts_that_it_shares() -> None:
    old = filled(slo(), (2160, 100, 1))
    old.evaluate(START + 21_600)
    changed = SloEvaluator(slo(burn_windows=WORKBOOK[:1], period_s=7 * DAY_S))
    changed.restore(changed.rings.new_group(), old.snapshot(0))
    facts = changed.evaluate(START + 21_600).readings(0, with_facts=True)[0].facts
    assert facts is not None
    assert facts.long is not None
    assert (facts.long.bad, facts.long.total) == (360, 36_000)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"XXXX" + data[4:],
        lambda data: data[:4] + b"\x09\x00" + data[6:],
        lambda data: data[:-5],
    ],
    ids=["empty", "other", "version", "cut"],
)
def test_a_broken_snapshot_is_refused(damage) -> None:  # type: ignore[no-untyped-def]
    evaluator = filled(slo(), (10, 10, 1))
    evaluator.evaluate(START + 50)
    fresh = SloEvaluator(slo())
    fresh.rings.new_group()
    with pytest.raises(StateError):
        fresh.restore(0, damage(evaluator.snapshot(0)))


def test_counts_older_than_every_window_are_left_out_and_counted() -> None:
    evaluator = filled(slo(), (1, 10, 0))
    evaluator.evaluate(START + 10)
    evaluator.rings.add([0], [START - 31 * DAY_S], [5], [5])
    evaluation = evaluator.evaluate(START + 20)
    assert evaluator.rings.too_old_rows == 1
    assert evaluation.budget(0).remaining == 1.0


def test_a_full_cell_stays_full() -> None:
    evaluator = filled(slo(), (1, 2**32 - 2, 5))
    evaluator.evaluate(START + 10)
    evaluator.rings.add([0], [START], [100], [100])
    facts = evaluator.evaluate(START + 10).readings(0, with_facts=True)[0].facts
    assert facts is not None
    assert facts.long is not None
    assert (facts.long.total, facts.long.bad) == (2**32 - 1, 105)


def test_sums_beyond_nine_billion_are_compared_exactly() -> None:
    count = 2**32 - 1
    evaluation = at_end(slo(), (31, count, count // 1000 * 14 + 400), (1, count, count))
    assert conditions(evaluation)["page-fast"] == "TRUE"


@pytest.mark.parametrize(
    ("keep", "expected"), [(None, [300, 1800, 1800, 1800, 300, 1800]), (7, [7] * 6)]
)
def test_an_alert_is_held_for_its_short_window_or_as_declared(
    keep: int | None, expected: list[int]
) -> None:
    readings = at_end(slo(keep_firing_s=keep), (1, 1, 0)).readings(0)
    assert [reading.keep_firing_s for reading in readings] == expected


def test_counts_that_came_before_the_first_tick_are_kept() -> None:
    old, new = filled(slo(), (60, 10, 5), low=1, high=2), SloEvaluator(slo())
    new.restore(new.rings.new_group(), old.snapshot(0))
    first, second = old.evaluate(START + 600), new.evaluate(START + 600)
    assert first.conditions.tolist() == second.conditions.tolist()
    assert old.snapshot(0) == new.snapshot(0)


def test_state_without_callers_is_read_by_who_wants_them_and_the_other_way_round() -> None:
    anonymous, named = slo(principal=""), slo()
    for first, second in ((anonymous, named), (named, anonymous)):
        old, new = filled(first, (60, 10, 5), low=1, high=1), SloEvaluator(second)
        old.evaluate(START + 600)
        new.restore(new.rings.new_group(), old.snapshot(0))
        assert conditions(new.evaluate(START + 600))["page-fast"] == "TRUE"


def test_history_begins_with_a_cell() -> None:
    with pytest.raises(ValueError, match="no multiple"):
        next(iter(evaluate_history(slo(), START + 1, [[1]], [[0]])))


def test_history_is_evaluated_from_a_tick_on() -> None:
    totals = np.ones((50, 1), np.int64)
    blocks = evaluate_history(slo(), START, totals, 0 * totals, first_tick_s=START + 480)
    assert [block.ticks_s.tolist() for block in blocks] == [[START + 480, START + 490, START + 500]]


def test_an_objective_without_rules_has_a_budget() -> None:
    bare = slo(burn_windows=(), outage=None)
    evaluation = filled(bare, (60, 10, 5)).evaluate(START + 600)
    assert evaluation.rules == (EXHAUSTED,)
    assert [reading.rule for reading in evaluation.readings(0, with_facts=True)] == [EXHAUSTED]


def test_windows_that_are_new_begin_as_after_a_cold_start() -> None:
    old = filled(slo(burn_windows=WORKBOOK[:1], period_s=6 * HOUR_S), (2160, 100, 1))
    old.evaluate(START + 21_600)
    changed = SloEvaluator(slo())
    changed.restore(changed.rings.new_group(), old.snapshot(0))
    facts = [
        reading.facts for reading in changed.evaluate(START + 21_600).readings(0, with_facts=True)
    ]
    longs = [fact.long.total for fact in facts if fact is not None and fact.long is not None]
    assert longs[:4] == [36_000, 216_000, 0, 0]
