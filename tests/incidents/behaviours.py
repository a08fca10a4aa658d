"""Scenarios that are asserted apart: gaps, mutes, groups, late counts, restarts, one noisy caller."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from inferometer.core.alerts.alert_state import AlertState
from inferometer.core.alerts.engine import Alerts
from inferometer.core.alerts.maintenance import Effect, Maintenance
from inferometer.core.alerts.matchers import Matcher
from inferometer.core.alerts.mute_book import MuteBook
from inferometer.core.alerts.notices import Notice, Status, Transition
from inferometer.core.alerts.routing import Route
from inferometer.core.alerts.silences import Silence
from inferometer.core.alerts.subjects import Definition, Observation
from inferometer.core.slo.burn_evaluation import SloEvaluator
from inferometer.core.slo.definitions import Severity
from tests.incidents.generator import Trace, sample
from tests.incidents.objectives import slo_of
from tests.incidents.ours import LATENESS_S, add_cells
from tests.incidents.report import Check
from tests.incidents.scenario import CELL_S, HOUR_S, ORIGIN_S, Case, suite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from inferometer.core.slo.definitions import Slo

US = 1_000_000
CHANCE_RUN = 0
ONE_CALLER = 77


@dataclass(slots=True)
class Stage:
    """One evaluator and one alert state, with what they said; all groups of one objective."""

    slo: Slo
    groups: tuple[tuple[str, ...], ...] = ((),)
    route: Route = field(default_factory=lambda: Route(receiver="oncall"))
    mutes: MuteBook = field(default_factory=MuteBook)
    late_s: int = LATENESS_S
    """How far the clock is ahead of the tick."""
    notices: list[Notice] = field(default_factory=list)
    evaluator: SloEvaluator = field(init=False)
    alerts: Alerts = field(init=False)
    definition: Definition = field(init=False)
    places: dict[tuple[str, ...], int] = field(init=False)

    def __post_init__(self) -> None:
        self.definition = Definition.of_slo(self.slo)
        self.evaluator = SloEvaluator(self.slo)
        self.alerts = Alerts((self.definition,), routes=self.route)
        self.places = {group: self.evaluator.rings.new_group() for group in self.groups}

    def tick(self, tick_s: int) -> list[Notice]:
        """Evaluate one tick; return and keep what is told."""
        evaluation = self.evaluator.evaluate(tick_s)
        seen = [
            Observation(
                subject=self.definition.subject(group), readings=tuple(evaluation.readings(place))
            )
            for group, place in self.places.items()
        ]
        outcome = self.alerts.step(tick_s, seen, now_s=tick_s + self.late_s, mutes=self.mutes)
        self.notices.extend(outcome.notices)
        return list(outcome.notices)

    def restart(self) -> None:
        """Forget everything but what the snapshots say."""
        kept = {group: self.evaluator.snapshot(place) for group, place in self.places.items()}
        state = self.alerts.state.to_snapshot()
        self.evaluator = SloEvaluator(self.slo)
        self.alerts = Alerts(
            (self.definition,), routes=self.route, state=AlertState.from_snapshot(state)
        )
        self.places = {group: self.evaluator.rings.new_group() for group in kept}
        for group, data in kept.items():
            self.evaluator.restore(self.places[group], data)

    def told(self, *transitions: Transition) -> list[Notice]:
        """Return the notices of some transitions; all where none is named."""
        return [each for each in self.notices if not transitions or each.transition in transitions]


def run(
    case: Case,
    stage: Stage,
    traces: Sequence[Trace],
    *,
    until_s: int | None = None,
    before: Callable[[int], None] | None = None,
) -> Stage:
    """Count and evaluate cell by cell; `before` is called with each tick first."""
    first = (case.evaluated_from_s - ORIGIN_S) // CELL_S
    places = list(stage.places)
    for group, trace in zip(places, traces, strict=True):
        add_cells(stage.evaluator, stage.places[group], trace, 0, first)
    for index in range(first, ((until_s or case.ends_s) - ORIGIN_S) // CELL_S):
        tick_s = ORIGIN_S + (index + 1) * CELL_S
        if before is not None:
            before(tick_s)
        for group, trace in zip(places, traces, strict=True):
            add_cells(stage.evaluator, stage.places[group], trace, index, index + 1)
        stage.tick(tick_s)
    return stage


def case_of(scenario: str, tail_h: float = 1.2) -> Case:
    """Return the only case of a scenario; its slowest ticket clears after six hours and a half."""
    return replace(suite().scenario(scenario).cases[0], lead_h=0.1, tail_h=tail_h)


def seconds(case: Case, notice: Notice) -> int:
    """Return how long after the incident's start a notice was decided."""
    return notice.detected_at_us // US - case.starts_s


def firing(notices: Iterable[Notice]) -> list[Notice]:
    """Return the notices that say that something fires."""
    return [each for each in notices if each.status is Status.FIRING]


def checks() -> Iterator[Check]:
    """Yield what every scenario of this module asserts."""
    yield from one_caller()
    yield from lost_counts()
    yield from three_models()
    yield from maintenance_ends()
    yield from silenced()
    yield from restarted()


def one_caller() -> Iterator[Check]:
    """INC-18: 40 failing calls of one client are a ticket; without the guard they are a page."""
    found = {}
    for least in (2, 1):
        healthy = replace(
            suite().scenario("INC-01").cases[0], rph=100, errors_of_budget=0.05, phases=(),
            scenario="INC-18", tail_h=2,
        )  # fmt: skip
        trace = sample(healthy, CHANCE_RUN)
        place = (healthy.starts_s - ORIGIN_S) // CELL_S
        trace.total[place] += 40
        trace.bad[place] += 40
        trace.low[place] = trace.high[place] = ONE_CALLER
        slo = replace(slo_of(healthy), min_distinct_principals=least)
        stage = run(healthy, Stage(slo), [trace])
        found[least] = {notice.severity for notice in firing(stage.notices)}
    yield Check(scenario="INC-18", says="one client's retries are a ticket",
                is_reached=found[2] == {Severity.TICKET}, found=_words(found[2]))  # fmt: skip
    yield Check(scenario="INC-18", says="they are a page with the guard off",
                is_reached=Severity.PAGE in found[1], found=_words(found[1]))  # fmt: skip


def lost_counts() -> Iterator[Check]:
    """INC-24: ten minutes without counts resolve nothing and page nobody again."""
    case = case_of("INC-24")
    stage = run(case, Stage(slo_of(case)), [sample(case, CHANCE_RUN)])
    early = [n for n in stage.told(Transition.RESOLVED)
             if (n.resolved_at_us or 0) // US < case.starts_s + case.incident_s]  # fmt: skip
    yield Check(scenario="INC-24", says="no resolve while counts are missing",
                is_reached=not early, found=f"{len(early)} resolves")  # fmt: skip
    told = firing(stage.notices)
    yield Check(scenario="INC-24", says="one page", is_reached=len(told) == 1,
                found=f"{len(told)} firing notices")  # fmt: skip
    healthy = case_of("INC-25")
    quiet = run(healthy, Stage(slo_of(healthy)), [sample(healthy, CHANCE_RUN)])
    yield Check(scenario="INC-25", says="a gap in a healthy service tells nobody of its objective",
                is_reached=not quiet.notices, found=f"{len(quiet.notices)} notices")  # fmt: skip


def three_models() -> Iterator[Check]:
    """INC-29: models that fail together are one notice that lists them."""
    case = case_of("INC-29")
    models = (("m-large",), ("m-small",), ("m-mini",))
    traces = [sample(case, number) for number in range(len(models))]
    stage = Stage(slo_of(case, group_by=("model",)), groups=models)
    run(case, stage, traces, until_s=case.starts_s + case.incident_s)
    told = firing(stage.notices)
    listed = {member.get("model") for notice in told for member in notice.members}
    yield Check(scenario="INC-29", says="three models are one notice", is_reached=len(told) == 1,
                found=f"{len(told)} firing notices, listing {len(listed)} members")  # fmt: skip


def maintenance_ends() -> Iterator[Check]:
    """INC-31: muted until the window ends, then a page once the short window lies after it."""
    case = case_of("INC-31")
    ends_s = case.starts_s + 20 * 60
    window = Maintenance(
        id="deploy", matchers=(Matcher("service", "chat-api"),), effect=Effect.MUTE,
        reason="upgrade", created_by="suite", updated_at_us=case.starts_s * US,
        starts_at_us=(case.starts_s - 600) * US, ends_at_us=ends_s * US,
    )  # fmt: skip
    stage = Stage(slo_of(case), mutes=MuteBook([window]))
    sent_s: list[int] = []

    def watch(tick_s: int) -> None:
        if stage.notices and not sent_s:
            sent_s.append(tick_s - CELL_S)

    run(case, stage, [sample(case, CHANCE_RUN)], before=watch)
    after_s = sent_s[0] + stage.late_s - ends_s if sent_s else -1
    latest_s = 5 * 60 + LATENESS_S + 2 * CELL_S
    yield Check(scenario="INC-31", says="told within a tick of the short window after the end",
                is_reached=0 <= after_s <= latest_s, found=f"{after_s} s after the end")  # fmt: skip
    pages = [each for each in firing(stage.notices) if each.severity is Severity.PAGE]
    yield Check(scenario="INC-31", says="one page", is_reached=len(pages) == 1,
                found=f"{len(pages)} pages")  # fmt: skip


def silenced() -> Iterator[Check]:
    """INC-32: a silence 1 s after the page, lifted while firing; the resolve comes through."""
    case = case_of("INC-32", tail_h=7)
    stage = Stage(slo_of(case))
    lifted_s: list[int] = []

    def change(tick_s: int) -> None:
        if not stage.notices or lifted_s:
            return
        told_s = stage.notices[0].detected_at_us // US + stage.late_s
        made = _silence(told_s + 1, case.ends_s, updated_s=told_s + 1)
        stage.mutes.apply(made)
        if tick_s >= case.starts_s + 25 * 60:
            lifted_s.append(tick_s)
            stage.mutes.apply(_silence(told_s + 1, tick_s, updated_s=tick_s))

    run(case, stage, [sample(case, CHANCE_RUN)], before=change)
    resolved = stage.told(Transition.RESOLVED)
    yield Check(scenario="INC-32", says="the resolve of a page that was told is delivered once",
                is_reached=len(resolved) == 1, found=f"{len(resolved)} resolves")  # fmt: skip
    yield from _silenced_to_the_end(case)
    firsts = stage.told(Transition.FIRING)
    yield Check(scenario="INC-32", says="one firing notice, told before the silence",
                is_reached=len(firsts) == 1, found=f"{len(firsts)} firing notices")  # fmt: skip
    yield from _silenced_throughout(case)


def _silenced_to_the_end(case: Case) -> Iterator[Check]:
    """The silence is still there when the incident ends."""
    stage = Stage(slo_of(case))

    def silence(tick_s: int) -> None:
        if stage.notices:
            stage.mutes.apply(_silence(tick_s, case.ends_s + HOUR_S, updated_s=case.starts_s))

    run(case, stage, [sample(case, CHANCE_RUN)], before=silence)
    resolved = stage.told(Transition.RESOLVED)
    yield Check(scenario="INC-32", says="its resolve passes through the silence",
                is_reached=len(resolved) == 1, found=f"{len(resolved)} resolves")  # fmt: skip


def _silenced_throughout(case: Case) -> Iterator[Check]:
    lifts_s = case.starts_s + 15 * 60
    hidden = Stage(slo_of(case), mutes=MuteBook([_silence(ORIGIN_S, lifts_s, updated_s=ORIGIN_S)]))
    run(case, hidden, [sample(case, CHANCE_RUN)])
    ended = hidden.told(Transition.SILENCE_ENDED)
    yield Check(scenario="INC-32", says="what fires when its silence ends is told then",
                is_reached=len(ended) == 1 and len(firing(hidden.notices)) == 1,
                found=f"{len(ended)} silence_ended, {len(firing(hidden.notices))} firing")  # fmt: skip
    always = Stage(slo_of(case), mutes=MuteBook([_silence(ORIGIN_S, case.ends_s + HOUR_S,
                                                          updated_s=ORIGIN_S)]))  # fmt: skip
    run(case, always, [sample(case, CHANCE_RUN)])
    yield Check(scenario="INC-32", says="what was never told is not resolved either",
                is_reached=not always.notices, found=f"{len(always.notices)} notices")  # fmt: skip


def _silence(starts_s: int, ends_s: int, *, updated_s: int) -> Silence:
    return Silence(
        id="5c7d1f9e-0000-4000-8000-000000000001", matchers=(Matcher("slo", "chat-success"),),
        starts_at_us=starts_s * US, ends_at_us=ends_s * US, updated_at_us=updated_s * US,
        created_by="suite", comment="looking at it",
    )  # fmt: skip


def restarted() -> Iterator[Check]:
    """INC-34: a restart from snapshots, at any tick, changes neither incident nor notices."""
    case = case_of("INC-34")
    trace = sample(case, CHANCE_RUN)
    wanted = run(case, Stage(slo_of(case)), [trace]).notices
    stage = Stage(slo_of(case))
    run(case, stage, [trace], before=lambda tick_s: stage.restart() if tick_s % 70 == 0 else None)
    ids = {each.incident_id for each in stage.notices}
    yield Check(scenario="INC-34", says="one incident over many restarts", is_reached=len(ids) == 1,
                found=f"{len(ids)} incidents")  # fmt: skip
    yield Check(scenario="INC-34", says="the notices of a run without restarts",
                is_reached=stage.notices == wanted,
                found=f"{len(stage.notices)} notices, {len(wanted)} wanted")  # fmt: skip


def _words(severities: set[Severity]) -> str:
    return ", ".join(sorted(severities)) or "nothing"
