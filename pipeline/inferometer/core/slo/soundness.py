"""Whether an objective can do what it promises: what forbids it, and what its owner should know.

Invariants: every objection is found, not only the first; each says what to write instead. An
objective without objections can fire each of its rules on some traffic.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING

from inferometer.core.alerts.matcher_texts import problem_of
from inferometer.core.alerts.safe_patterns import danger_of
from inferometer.core.events import STATUS_CLASSES
from inferometer.core.slo.closed_forms import threshold_of
from inferometer.core.slo.definitions import (
    DAY_S,
    HOUR_S,
    MINUTE_S,
    Availability,
    BatchIsolation,
    BurnWindow,
    Cost,
    Latency,
    Severity,
    Slo,
)
from inferometer.core.slo.dimensions import SLO_DIMENSIONS, unknown_dimension
from inferometer.core.slo.spans import span_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inferometer.core.alerts.matchers import Matcher

Part = tuple[str | int, ...]
"""Path of a part of an objective: a field of `Slo`, an index, a field of the part."""

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
NAME_RULE = "use at most 63 letters, digits, '-', '_' and '.', a letter or digit first and last"
SHORTEST_PERIOD_S = DAY_S
LONGEST_PERIOD_S = 90 * DAY_S
CELLS = ((6 * HOUR_S, 10), (3 * DAY_S, 10 * MINUTE_S), (LONGEST_PERIOD_S, HOUR_S))
"""Windows up to so many seconds are counted in cells of so many."""
LONGEST_HOLD_S = DAY_S
RESERVED_RULES = ("outage", "exhausted", "absence")
"""Names of the rules that objectives have beside their burn windows."""


@dataclass(frozen=True, slots=True)
class Objection:
    """Why an objective cannot stand, and what to write instead."""

    part: Part
    text: str


def objections(slo: Slo) -> list[Objection]:
    """Return everything that forbids an objective."""
    return [
        *_of_identity(slo),
        *_of_objective(slo),
        *_of_dimensions(slo),
        *_of_indicator(slo),
        *_of_windows(slo),
        *_of_outage(slo),
        *_of_the_rest(slo),
    ]


def highest_burn(objective: Decimal) -> Decimal:
    """Return the burn rate of a total outage: 1 / (1 - objective)."""
    return 1 / (1 - objective)


def name_problem(name: str) -> str:
    """Say what is wrong with the name of an objective, rule or window, or ""."""
    return "" if NAME.fullmatch(name) else f"{name!r} is no name; {NAME_RULE}"


def pattern_problem(matcher: Matcher) -> str:
    """Say what is wrong with a matcher's regular expression, or ""."""
    return problem_of(matcher) or (danger_of(matcher.value) if matcher.is_regex else "")


def _of_identity(slo: Slo) -> Iterator[Objection]:
    for part, name in (("name", slo.name), ("service", slo.service)):
        if problem := name_problem(name):
            yield Objection((part,), problem)


def _of_objective(slo: Slo) -> Iterator[Objection]:
    objective = slo.objective
    if objective == 1:
        yield Objection(
            ("objective",), "an objective of 1 leaves no budget to burn; write for example 0.999"
        )
    elif 1 < objective < 100:
        ratio = (objective / 100).normalize()
        yield Objection(
            ("objective",), f"{objective} looks like a percent; write the ratio, {ratio:f}"
        )
    elif not 0 < objective < 1:
        yield Objection(("objective",), f"{objective} is no ratio between 0 and 1; write 0.999")
    if not SHORTEST_PERIOD_S <= slo.period_s <= LONGEST_PERIOD_S or slo.period_s % HOUR_S:
        yield Objection(
            ("period_s",),
            f"a period of {span_text(slo.period_s)} cannot be kept; "
            "write whole hours from 1d to 90d, for example 30d",
        )


def _of_dimensions(slo: Slo) -> Iterator[Objection]:
    for index, name in enumerate(slo.group_by):
        if name not in SLO_DIMENSIONS:
            yield Objection(("group_by", index), unknown_dimension(name))
        elif name in slo.group_by[:index]:
            yield Objection(("group_by", index), f"{name} is named twice; name it once")
    for index, matcher in enumerate(slo.selector):
        if matcher.name not in SLO_DIMENSIONS:
            yield Objection(("selector", index), unknown_dimension(matcher.name))
        elif problem := pattern_problem(matcher):
            yield Objection(("selector", index), problem)
    if slo.principal and slo.principal not in SLO_DIMENSIONS:
        yield Objection(("principal",), unknown_dimension(slo.principal))
    if slo.min_distinct_principals not in {1, 2}:
        yield Objection(
            ("min_distinct_principals",), "one caller is told from several: write 2, or 1 for off"
        )
    elif slo.min_distinct_principals > 1 and slo.principal in _fixed(slo):
        yield Objection(
            ("min_distinct_principals",),
            f"every group has one {slo.principal} only, so no page could ever fire; "
            "write min_distinct_principals: 1",
        )


def _fixed(slo: Slo) -> set[str]:
    """Return the dimensions that have one value within a group."""
    chosen = {matcher.name for matcher in slo.selector if matcher.is_equal and not matcher.is_regex}
    return {*slo.group_by, *chosen}


def _of_indicator(slo: Slo) -> Iterator[Objection]:
    match slo.indicator:
        case Availability(bad=bad, excluded=excluded):
            yield from _of_status_classes(bad, excluded)
        case Latency(threshold_us=threshold_us) if threshold_us <= 0:
            yield Objection(("indicator",), "a duration is over 0; write for example under: 2s")
        case Cost(threshold_usd=usd) if usd <= 0:
            yield Objection(
                ("indicator",), "an amount is over 0; write for example under_usd: 0.05"
            )
        case BatchIsolation(allowed=allowed) if not 0 < allowed <= 10:
            yield Objection(
                ("indicator",), f"allowed is a ratio over 0, not {allowed}; write 0.05 for 5 %"
            )
        case BatchIsolation():
            yield from _of_batch_isolation(slo)
        case _:
            pass


def _of_batch_isolation(slo: Slo) -> Iterator[Objection]:
    if "traffic_class" in slo.group_by:
        yield Objection(
            ("group_by",), "it compares traffic classes, so it cannot group by them; remove it"
        )
    for index, matcher in enumerate(slo.selector):
        if matcher.name == "traffic_class":
            yield Objection(
                ("selector", index),
                "it must see realtime and batch alike; remove traffic_class from its selection",
            )


def _of_status_classes(bad: frozenset[str], excluded: frozenset[str]) -> Iterator[Objection]:
    known = ", ".join(STATUS_CLASSES)
    for name in sorted((bad | excluded).difference(STATUS_CLASSES)):
        yield Objection(("indicator",), f"unknown status class {name}; known are {known}")
    for name in sorted(bad & excluded):
        yield Objection(
            ("indicator",), f"status class {name} is both bad and excluded; leave it in one list"
        )
    if not bad:
        yield Objection(("indicator",), "nothing is bad, so nothing can fire; name status classes")


def _of_windows(slo: Slo) -> Iterator[Objection]:
    names = [window.name for window in slo.burn_windows]
    for index, window in enumerate(slo.burn_windows):
        part = ("burn_windows", index)
        texts = [*_window_problems(window, slo)]
        if window.name in names[:index]:
            texts.append(f"a window called {window.name} is above; give this one another name")
        yield from (Objection(part, f"{window.name}: {text}") for text in texts)


def _window_problems(window: BurnWindow, slo: Slo) -> Iterator[str]:
    long, short, period = map(span_text, (window.long_s, window.short_s, slo.period_s))
    if problem := name_problem(window.name):
        yield problem
    if window.name.startswith(RESERVED_RULES):
        yield f"names that begin with {', '.join(RESERVED_RULES)} are taken; choose another"
    if window.long_s < 1 or window.short_s < 1:
        yield "a window has a length; write for example long: 1h and short: 5m"
        return
    if window.short_s >= window.long_s:
        yield f"its short window {short} is not under its long one {long}; write long / 12"
    if window.long_s > slo.period_s:
        yield f"its long window {long} is over the period {period}; shorten it"
    for name, span_s in (("long", window.long_s), ("short", window.short_s)):
        cell_s = next((cell for longest, cell in CELLS if span_s <= longest), HOUR_S)
        if span_s % cell_s:
            yield (
                f"its {name} window {span_text(span_s)} is counted in cells of "
                f"{span_text(cell_s)}; write a multiple of that"
            )
    if not 0 < window.significance < 1:
        yield f"significance {window.significance:g} is no probability; write 0.001"
    yield from _burn_problems(window, slo)


def _burn_problems(window: BurnWindow, slo: Slo) -> Iterator[str]:
    not_a_share = f"a budget share of {window.budget_share} is no ratio; write 0.02 for 2 %"
    if window.budget_share <= 0:
        yield not_a_share
        return
    if not 0 < slo.objective < 1:
        return
    if threshold_of(window, slo) >= 1:
        burn, highest = window.burn(slo.period_s), highest_burn(slo.objective)
        share = highest * window.long_s / slo.period_s
        below = share.quantize(Decimal("1E-6"), ROUND_DOWN).normalize()
        yield (
            f"it can never fire: a burn rate above {float(burn):.6g} is asked for, and a "
            f"total outage burns at {float(highest):.6g}, which is 1 / (1 - {slo.objective}); "
            f"lower its budget share below {below:f}, raise the objective, or leave it out"
        )
    elif window.budget_share > 1:
        yield not_a_share


def _of_outage(slo: Slo) -> Iterator[Objection]:
    rule = slo.outage
    if rule is not None:
        if not 0 < rule.bad_ratio <= 1:
            yield Objection(("outage",), f"bad_ratio {rule.bad_ratio} is no ratio; write 0.5")
        if not 0 < rule.short_s < rule.long_s <= CELLS[0][0]:
            yield Objection(("outage",), "its windows are 0 < short < long <= 6h; write 5m and 1m")
        elif rule.short_s % CELLS[0][1] or rule.long_s % CELLS[0][1]:
            yield Objection(("outage",), "its windows are multiples of 10 s; write 5m and 1m")
        if not 0 < rule.significance < 1:
            yield Objection(("outage",), "significance is a probability; write 0.001")


def _of_the_rest(slo: Slo) -> Iterator[Objection]:
    if slo.absence is not None:
        if not 0 < slo.absence.p_value < 1:
            yield Objection(("absence",), "p_value is a probability; write 1e-6")
        if not 0 <= slo.absence.collapse_ratio < 1:
            yield Objection(("absence",), "collapse_ratio is a ratio under 1; write 0.1")
        if slo.absence.shortest_s < MINUTE_S:
            yield Objection(("absence",), "shortest is at least 1m; write 5m")
    if slo.keep_firing_s is not None and not 0 <= slo.keep_firing_s <= LONGEST_HOLD_S:
        yield Objection(("keep_firing_s",), "it is from 0s to 1d; write for example 30m")
    if not slo.burn_windows and slo.outage is None and slo.absence is None:
        yield Objection(
            ("burn_windows",),
            "no rule is left that could fire; give it burn windows, an outage or an absence rule",
        )


def pages(slo: Slo) -> tuple[BurnWindow, ...]:
    """Return the windows of an objective that page."""
    return tuple(window for window in slo.burn_windows if window.severity is Severity.PAGE)
