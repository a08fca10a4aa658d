"""The state machine of one rule, row by row of its table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inferometer.core.alerts.policy import AlertPolicy
from inferometer.core.alerts.rule_state import Phase, ResolveReason, RuleEvent, RuleState
from tests.unit.core.alerts.ticking import PAGE, TICKET, F, T, U, reading

if TYPE_CHECKING:
    from inferometer.core.alerts.conditions import Condition, Reading

POLICY = AlertPolicy()
NO_FLAPPING = AlertPolicy(flapping=None)


class Walk:
    """One rule over ticks of ten seconds, from tick 0."""

    def __init__(self, policy: AlertPolicy = NO_FLAPPING) -> None:
        self.policy = policy
        self.rule = RuleState(rule="page-fast")
        self.tick_s = 0
        self.events: list[tuple[int, RuleEvent]] = []

    def say(self, said: Reading, for_s: int = 10) -> Phase:
        for _ in range(for_s // 10):
            events = self.rule.observe(said, self.tick_s, self.policy)
            self.events += [(self.tick_s, event) for event in events]
            self.tick_s += 10
        return self.rule.phase

    def at(self, event: RuleEvent) -> list[int]:
        return [tick for tick, one in self.events if one is event]


def test_a_true_rule_without_for_fires_at_once() -> None:
    walk = Walk()
    assert walk.say(reading(T)) is Phase.FIRING
    assert walk.rule.starts_at_s == 0


def test_a_rule_with_for_is_pending_until_it_was_true_so_long_and_starts_at_its_first_tick() -> (
    None
):
    walk = Walk()
    assert walk.say(reading(T, for_s=60), 60) is Phase.PENDING
    assert walk.say(reading(T, for_s=60)) is Phase.FIRING
    assert walk.at(RuleEvent.FIRED) == [60]
    assert walk.rule.starts_at_s == 0


def test_a_pending_rule_that_turns_false_is_inactive_again() -> None:
    walk = Walk()
    walk.say(reading(T, for_s=60), 30)
    assert walk.say(reading(F, for_s=60)) is Phase.INACTIVE
    assert walk.at(RuleEvent.FIRED) == []


def test_unknown_pauses_the_clock_of_a_pending_rule() -> None:
    walk = Walk()
    walk.say(reading(T, for_s=60), 30)
    assert walk.say(reading(U, for_s=60), 60) is Phase.PENDING
    walk.say(reading(T, for_s=60), 60)
    assert walk.at(RuleEvent.FIRED) == [120]


def test_a_pending_rule_is_dropped_after_its_for_and_five_minutes_without_data() -> None:
    walk = Walk()
    walk.say(reading(T, for_s=60))
    assert walk.say(reading(U, for_s=60), 360) is Phase.PENDING
    assert walk.say(reading(U, for_s=60)) is Phase.INACTIVE


@pytest.mark.parametrize("keep_s", [0, 300, 1800])
def test_a_firing_rule_is_held_until_it_was_last_true_keep_firing_ago(keep_s: int) -> None:
    walk = Walk()
    walk.say(reading(T, keep_firing_s=keep_s), 100)
    walk.say(reading(F, keep_firing_s=keep_s), keep_s + 20)
    assert walk.at(RuleEvent.CLEARED) == [100]
    assert walk.at(RuleEvent.RESOLVED) == [max(100, 90 + keep_s)]


def test_a_rule_that_is_true_again_while_held_never_resolved() -> None:
    walk = Walk()
    walk.say(reading(T), 100)
    walk.say(reading(F), 200)
    walk.say(reading(T), 10)
    assert walk.rule.cleared_at_s is None
    assert walk.at(RuleEvent.RESOLVED) == []
    assert walk.at(RuleEvent.TRUE_AGAIN) == [300]


def test_unknown_never_resolves_a_firing_rule_before_a_day() -> None:
    walk = Walk()
    walk.say(reading(T))
    assert walk.say(reading(U), 86_400) is Phase.FIRING
    assert walk.at(RuleEvent.STALE) == [310]
    assert walk.say(reading(U)) is Phase.RESOLVED
    assert walk.rule.resolve_reason is ResolveReason.NO_DATA_EXPIRED


def test_data_that_comes_back_makes_a_stale_rule_fresh() -> None:
    walk = Walk()
    walk.say(reading(T))
    walk.say(reading(U), 600)
    walk.say(reading(T))
    assert not walk.rule.is_stale
    assert (walk.at(RuleEvent.STALE), walk.at(RuleEvent.FRESH)) == ([310], [610])


def test_a_held_rule_without_data_is_not_true_again() -> None:
    walk = Walk()
    walk.say(reading(T))
    walk.say(reading(F), 100)
    walk.say(reading(U), 100)
    assert walk.rule.cleared_at_s == 10


def test_severity_rises_while_firing_and_never_falls() -> None:
    walk = Walk()
    walk.say(reading(T, severity=TICKET))
    walk.say(reading(T, severity=PAGE))
    walk.say(reading(T, severity=TICKET))
    assert walk.rule.severity is PAGE
    assert walk.at(RuleEvent.SEVERITY_ROSE) == [10]


def test_a_rule_that_is_removed_while_firing_resolves_with_that_reason() -> None:
    walk = Walk()
    walk.say(reading(T))
    assert walk.rule.remove(20) == [RuleEvent.RESOLVED]
    assert walk.rule.resolve_reason is ResolveReason.RULE_REMOVED


def test_a_pending_rule_that_is_removed_is_dropped() -> None:
    walk = Walk()
    walk.say(reading(T, for_s=60))
    assert walk.rule.remove(20) == [RuleEvent.PENDING_DROPPED]
    assert walk.rule.phase is Phase.INACTIVE


def test_a_rule_that_comes_back_within_the_reopen_window_does_not_wait_for_its_for() -> None:
    walk = Walk()
    walk.say(reading(T, for_s=60, keep_firing_s=0), 100)
    walk.say(reading(F, for_s=60, keep_firing_s=0), 100)
    assert walk.say(reading(T, for_s=60, keep_firing_s=0)) is Phase.FIRING


def test_a_rule_that_comes_back_later_waits_again() -> None:
    walk = Walk()
    walk.say(reading(T, for_s=60, keep_firing_s=0), 100)
    walk.say(reading(F, for_s=60, keep_firing_s=0), 1900)
    assert walk.say(reading(T, for_s=60, keep_firing_s=0)) is Phase.PENDING


def test_a_resolved_rule_is_forgotten_after_the_reopen_window_and_fifteen_minutes() -> None:
    walk = Walk()
    walk.say(reading(T, keep_firing_s=0))
    assert walk.say(reading(F, keep_firing_s=0), 2700) is Phase.RESOLVED
    assert walk.say(reading(F, keep_firing_s=0)) is Phase.INACTIVE


def _flap(walk: Walk, changes: int, said: tuple[Condition, ...] = (F, T)) -> None:
    for number in range(changes):
        walk.say(reading(said[number % 2]), 60)


def test_four_changes_in_twenty_minutes_double_the_hold() -> None:
    walk = Walk(POLICY)
    walk.say(reading(T), 60)
    _flap(walk, 4)
    assert walk.at(RuleEvent.FLAPPING) != []
    last_true_s = walk.tick_s - 10
    walk.say(reading(F), 700)
    assert walk.at(RuleEvent.RESOLVED) == [last_true_s + 600]


def test_the_hold_of_a_flapping_rule_grows_to_an_hour_at_most() -> None:
    walk = Walk(POLICY)
    walk.say(reading(T), 60)
    _flap(walk, 100)
    last_true_s = walk.tick_s - 10
    walk.say(reading(F), 3700)
    assert walk.at(RuleEvent.RESOLVED) == [last_true_s + 3600]


def test_slow_changes_are_no_flapping() -> None:
    walk = Walk(POLICY)
    walk.say(reading(T, keep_firing_s=3600), 600)
    for number in range(12):
        walk.say(reading((F, T)[number % 2], keep_firing_s=3600), 600)
    assert walk.at(RuleEvent.FLAPPING) == []


def test_unknown_is_no_change() -> None:
    walk = Walk(POLICY)
    walk.say(reading(T), 60)
    _flap(walk, 20, said=(U, T))
    assert walk.at(RuleEvent.FLAPPING) == []


def test_a_rule_that_stays_true_for_an_hour_is_forgiven() -> None:
    walk = Walk(POLICY)
    walk.say(reading(T), 60)
    _flap(walk, 4)
    assert walk.rule.flapping.is_flapping
    walk.say(reading(T), 3700)
    assert not walk.rule.flapping.is_flapping


def test_a_flapping_rule_that_holds_not_at_all_is_held_all_the_same() -> None:
    walk = Walk(POLICY)
    walk.say(reading(T, keep_firing_s=0))
    for number in range(8):
        walk.say(reading((F, T)[number % 2], keep_firing_s=0))
    assert walk.rule.flapping.hold_s(0, POLICY.flapping) >= 600


def test_a_policy_names_what_is_wrong_with_it() -> None:
    assert AlertPolicy().problems() == []
    assert AlertPolicy(reopen_s=-1).problems() == ["reopen_s must not be negative"]
