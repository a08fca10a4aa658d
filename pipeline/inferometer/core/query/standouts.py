"""Which values of which dimensions stand out in a span, against the span before and against the rest.

Each value is expected to go on as before; what is beyond is its excess. A value stands out if it
holds much of the whole excess, and more than its part of the traffic. The narrowest comes first:
where one node fails, its region and its model hold as much of the excess, but carry more that is
well. Invariant: shares are between 0 and 1, and nothing depends on the order of the parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inferometer.core.slo.significance import is_significant

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PRIOR_REQUESTS = 50.0
"""A value with few requests before is expected to do as all did, by the weight of so many."""
LEAST_SHARE = 0.2
LEAST_LIFT = 1.5
LEAST_BAD = 3.0
CHANCE = 1e-3
"""A place is named only where so few spans would show as much of the trouble there by chance."""
WHOLE_SHARE = 0.98
"""A value with so much of the traffic tells nothing: nearly everything has it."""


@dataclass(frozen=True, slots=True)
class Part:
    """One value of a dimension: how much there was, and how much of it was bad."""

    value: str
    total: float
    bad: float
    expected: float
    """How much would be bad if it had gone on as before."""

    @property
    def excess(self) -> float:
        """What is beyond the expected."""
        return self.bad - self.expected


@dataclass(frozen=True, slots=True)
class Standout:
    """A value that a problem is found with."""

    dimension: str
    value: str
    total: float
    bad: float
    bad_ratio: float | None
    rest_bad_ratio: float | None
    """Of everything else in the same span; None where there was nothing."""
    share_of_total: float
    share_of_excess: float


def expected_bad(
    total: float, total_before: float, bad_before: float, overall_before: float
) -> float:
    """Return how many of `total` would be bad at the ratio of before, drawn to that of all."""
    known = total_before + PRIOR_REQUESTS
    return total * (bad_before + PRIOR_REQUESTS * overall_before) / known


def standouts(
    parts: Mapping[str, Iterable[Part]], *, least_bad: float = LEAST_BAD, at_most: int = 8
) -> list[Standout]:
    """Return what stands out in any of the dimensions, what explains most with least first."""
    found = [
        each
        for dimension, values in parts.items()
        for each in _of_dimension(dimension, list(values), least_bad)
    ]
    found.sort(key=_order)
    return found[:at_most]


def _order(each: Standout) -> tuple[float, float, str, str]:
    explains = each.share_of_excess * (1 - each.share_of_total)
    return -round(explains, 6), -each.bad, each.dimension, each.value


def _of_dimension(dimension: str, parts: list[Part], least_bad: float) -> list[Standout]:
    whole = Part(
        "",
        total=sum(part.total for part in parts),
        bad=sum(part.bad for part in parts),
        expected=sum(part.expected for part in parts),
    )
    if whole.total <= 0 or whole.excess <= 0:
        return []
    return [
        Standout(
            dimension=dimension,
            value=part.value,
            total=part.total,
            bad=part.bad,
            bad_ratio=_ratio(part.bad, part.total),
            rest_bad_ratio=_ratio(whole.bad - part.bad, whole.total - part.total),
            share_of_total=part.total / whole.total,
            share_of_excess=_share_of_excess(part, whole),
        )
        for part in parts
        if part.bad >= least_bad
        and _is_notable(part, whole)
        # Money comes in amounts, not in independent counts.
        and (least_bad == 0 or _is_no_chance(part, whole))
    ]


def _is_notable(part: Part, whole: Part) -> bool:
    share_of_total = part.total / whole.total
    share_of_excess = _share_of_excess(part, whole)
    rest_total, rest_bad = whole.total - part.total, whole.bad - part.bad
    return (
        share_of_total < WHOLE_SHARE
        and share_of_excess >= max(LEAST_SHARE, LEAST_LIFT * share_of_total)
        # Multiplied out: either side may have had nothing.
        and part.bad * rest_total >= LEAST_LIFT * rest_bad * part.total
    )


def _is_no_chance(part: Part, whole: Part) -> bool:
    """Return whether bad requests, dropped on values by traffic, would so rarely fall here."""
    share_of_total = part.total / whole.total
    return bool(is_significant(round(part.bad), round(whole.bad), share_of_total, CHANCE))


def _share_of_excess(part: Part, whole: Part) -> float:
    return min(1.0, max(0.0, part.excess / whole.excess))


def _ratio(bad: float, total: float) -> float | None:
    return bad / total if total > 0 else None
