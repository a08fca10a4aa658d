"""Rules of alerting that hold for whatever is observed, muted and configured."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.core.alerts.alert_state import AlertState
from inferometer.core.alerts.conditions import Condition
from inferometer.core.alerts.engine import Alerts
from inferometer.core.alerts.history import RecordKind, decode_transition, encode_transition
from inferometer.core.alerts.notices import Status, Transition
from inferometer.core.alerts.policy import AlertPolicy, FlappingPolicy
from inferometer.core.alerts.routing import ReceiverTraits, Route
from inferometer.core.alerts.subjects import Observation
from tests.unit.core.alerts.test_planning import Quiet
from tests.unit.core.alerts.ticking import PAGE, START_S, TICKET, F, T, U, definition, reading

if TYPE_CHECKING:
    from inferometer.core.alerts.history import TransitionRecord
    from inferometer.core.alerts.notices import Notice

SLO = definition(group_by=("model",))
GROUPS = [SLO.subject((name,)) for name in "ab"]
ABOUT_TELLING = {RecordKind.SUPPRESSED, RecordKind.UNSUPPRESSED, RecordKind.GROUPED}
"""What is about who hears of an incident, not about what is so."""
RULES = (("page-fast", PAGE), ("ticket-slow", TICKET))

Story = list[tuple[list[Condition], int]]
CONDITIONS = st.sampled_from([F, T, T, U])
# What every rule of every group says, and for how many ticks it goes on saying it.
STRETCH = st.tuples(st.lists(CONDITIONS, min_size=4, max_size=4), st.integers(1, 25))
STORIES = st.lists(STRETCH, min_size=1, max_size=8)
WAIT_S = st.sampled_from([0, 10, 30, 60, 300, 1800])
OPTIONS = st.fixed_dictionaries(
    {
        "keep_firing_s": WAIT_S,
        "for_s": st.sampled_from([0, 0, 10, 60]),
        "flapping": st.sampled_from([None, FlappingPolicy(), FlappingPolicy(changes=2)]),
        "group_wait_s": st.sampled_from([None, 0, 30, 300]),
        "group_interval_s": st.sampled_from([None, 0, 60]),
        "repeat_interval_s": st.sampled_from([None, 60, 3600]),
        "resolve_delay_s": WAIT_S,
        "reopen_s": st.sampled_from([0, 600, 1800]),
        "retold_after_s": st.sampled_from([0, 600]),
    }
)
PLAIN = {
    "keep_firing_s": 300, "for_s": 0, "flapping": FlappingPolicy(), "group_wait_s": None,
    "group_interval_s": None, "repeat_interval_s": None, "resolve_delay_s": 0, "reopen_s": 1800,
    "retold_after_s": 600,
}  # fmt: skip
STEP_S = 30
"""Coarser than in earnest, so that hours pass quickly."""
FEW = settings(max_examples=20, deadline=None)


def _alerts(options: dict[str, object], state: AlertState | None = None) -> Alerts:
    return Alerts(
        [SLO],
        routes=Route(
            receiver="oncall",
            group_wait_s=options["group_wait_s"],  # type: ignore[arg-type]
            group_interval_s=options["group_interval_s"],  # type: ignore[arg-type]
            repeat_interval_s=options["repeat_interval_s"],  # type: ignore[arg-type]
        ),
        policy=AlertPolicy(
            flapping=options["flapping"],  # type: ignore[arg-type]
            reopen_s=options["reopen_s"],  # type: ignore[arg-type]
            retold_after_s=options["retold_after_s"],  # type: ignore[arg-type]
        ),
        traits={
            "oncall": ReceiverTraits(resolve_delay_s=options["resolve_delay_s"])  # type: ignore[arg-type]
        },
        state=state,
    )


def _ticks(story: Story, options: dict[str, object]) -> list[list[Observation]]:
    found = []
    for said, length in story:
        observations = [
            Observation(
                subject=group,
                readings=tuple(
                    reading(
                        said[2 * at + number],
                        rule=rule,
                        severity=severity,
                        keep_firing_s=options["keep_firing_s"],  # type: ignore[arg-type]
                        for_s=options["for_s"],  # type: ignore[arg-type]
                    )
                    for number, (rule, severity) in enumerate(RULES)
                ),
            )
            for at, group in enumerate(GROUPS)
        ]
        found += [observations] * length
    return found


def _play(
    ticks: list[list[Observation]],
    options: dict[str, object],
    *,
    restart_at: int | None = None,
    muted: tuple[int, int] = (0, 0),
    repeated: bool = False,
) -> tuple[list[Notice], list[TransitionRecord], AlertState]:
    alerts = _alerts(options)
    notices: list[Notice] = []
    records: list[TransitionRecord] = []
    for number, observations in enumerate(ticks):
        if number == restart_at:
            alerts = _alerts(options, AlertState.from_snapshot(alerts.state.to_snapshot()))
        tick_s = START_S + STEP_S * number
        quiet = Quiet(by=("s",) if muted[0] <= number < muted[1] else ())
        for _ in range(2 if repeated else 1):
            outcome = alerts.step(tick_s, observations, now_s=tick_s + 30, mutes=quiet)
            notices += outcome.notices
            records += outcome.transitions
    return notices, records, alerts.state


@FEW
@given(STORIES, OPTIONS)
def test_a_receiver_hears_the_end_once_for_each_time_that_it_was_told(
    story: Story, options: dict[str, object]
) -> None:
    quiet_end: Story = [([F, F, F, F], 300)]
    notices, _, state = _play(_ticks([*story, *quiet_end], options), options)
    believed: dict[str, bool] = {}
    for notice in notices:
        is_end = notice.status is Status.RESOLVED
        assert is_end is (notice.transition is Transition.RESOLVED)
        if is_end:
            assert believed[notice.incident_id]
        believed[notice.incident_id] = not is_end
    assert not any(believed.values())
    assert not state.incidents
    assert not state.subjects
    assert not state.book.groups
    assert not state.book.latest


@FEW
@given(STORIES, OPTIONS)
def test_whatever_the_options_what_lasts_for_a_repeat_interval_is_told(
    story: Story, options: dict[str, object]
) -> None:
    options = {**options, "repeat_interval_s": 600}
    lasting: Story = [([T, F, F, F], 100)]
    notices, _, state = _play(_ticks([*story, *lasting], options), options)
    assert any(group.is_open for group in state.book.groups.values())
    assert notices


@FEW
@given(STORIES, OPTIONS)
def test_names_of_notices_and_rows_are_never_used_twice(
    story: Story, options: dict[str, object]
) -> None:
    notices, records, _ = _play(_ticks(story, options), options)
    assert max(Counter(one.notification_id for one in notices).values(), default=1) == 1
    assert max(Counter(one.transition_id for one in records).values(), default=1) == 1
    numbers = [one.seq for one in notices]
    by_incident = {one.incident_id for one in notices}
    for incident_id in by_incident:
        own = [one.seq for one in notices if one.incident_id == incident_id]
        assert own == list(range(1, len(own) + 1))
    assert len(numbers) == len(notices)


@FEW
@given(STORIES, OPTIONS, st.integers(0, 200))
def test_a_restart_from_a_snapshot_changes_nothing(
    story: Story, options: dict[str, object], at: int
) -> None:
    ticks = _ticks(story, options)
    whole = _play(ticks, options)
    again = _play(ticks, options, restart_at=at % len(ticks))
    assert again[:2] == whole[:2]
    assert again[2].to_snapshot() == whole[2].to_snapshot()


@FEW
@given(STORIES, st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_of_what_is_seen_changes_anything(
    story: Story, random: object
) -> None:
    ticks = _ticks(story, PLAIN)
    split = [
        [
            Observation(subject=one.subject, readings=(said,))
            for one in observations
            for said in one.readings
        ]
        for observations in ticks
    ]
    shuffled = [list(one) for one in split]
    for one in shuffled:
        random.shuffle(one)  # type: ignore[attr-defined]
    whole = _play(ticks, PLAIN)
    again = _play(shuffled, PLAIN, repeated=True)
    assert again[:2] == whole[:2]
    assert again[2].to_snapshot() == whole[2].to_snapshot()


@FEW
@given(STORIES, st.integers(0, 100), st.integers(0, 100))
def test_a_silence_changes_no_transition_and_lets_ends_pass(
    story: Story, start: int, length: int
) -> None:
    ticks = _ticks([*story, ([F, F, F, F], 300)], PLAIN)
    _, loud, _ = _play(ticks, PLAIN)
    notices, muted, _ = _play(ticks, PLAIN, muted=(start, start + length))

    def plain(records: list[TransitionRecord]) -> list[tuple[object, ...]]:
        return [
            (one.transition_id, one.incident_id, one.kind, one.at_us)
            for one in records
            if one.kind not in ABOUT_TELLING
        ]

    assert plain(muted) == plain(loud)
    believed: dict[str, bool] = {}
    for notice in notices:
        believed[notice.incident_id] = notice.status is Status.FIRING
    assert not any(believed.values())


@FEW
@given(STORIES, OPTIONS)
def test_a_row_of_history_is_read_back_as_it_was_written(
    story: Story, options: dict[str, object]
) -> None:
    _, records, _ = _play(_ticks(story, options), options)
    assert [decode_transition(encode_transition(one)) for one in records] == records


BELOW_RETELLING = st.integers(1, 19)
BELOW_REOPENING = st.integers(1, 59)


@FEW
@given(st.lists(st.tuples(BELOW_RETELLING, BELOW_REOPENING), min_size=1, max_size=12), OPTIONS)
def test_an_incident_that_flaps_is_told_once_whatever_the_other_options(
    flaps: list[tuple[int, int]], options: dict[str, object]
) -> None:
    told_once = {
        **options, "for_s": 0, "reopen_s": 1800, "repeat_interval_s": 86_400,
        "retold_after_s": 600, "group_wait_s": 0,
    }  # fmt: skip
    story: Story = []
    for true_ticks, false_ticks in flaps:
        story += [([T, T, F, F], true_ticks), ([F, F, F, F], false_ticks)]
    notices, records, _ = _play(_ticks(story, told_once), told_once)
    firing = [one for one in notices if one.status is Status.FIRING]
    assert [one.severity for one in firing] == [PAGE]
    assert len({one.incident_id for one in records}) == 1
