"""What most bad requests have in common: how they failed, and a place that traffic does not explain.

Shares are those of drawn requests, so they are exact for few and good to some percent for many.
Invariants: nothing depends on the order of the requests; a place is named only against the traffic
that is known of it, so that what all requests share explains nothing.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from inferometer.core.alerts.notices import Driver
from inferometer.core.query.standouts import LEAST_BAD, Part, standouts
from inferometer.core.slo.drawn_requests import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LEAST_SHARE = 0.5
MOST_DRIVERS = 3
FEWEST_KNOWN = 10
"""Requests that traffic is known by."""
UNSEEN = 0.5
"""Stands for a value that was drawn of no traffic: it has some, or nothing of it would be bad."""
SHARE_DIGITS = 2


def failure_drivers(
    dimensions: Sequence[str], bad: Sequence[Sequence[str]], traffic: Sequence[Sequence[str]]
) -> tuple[Driver, ...]:
    """Return at most three drivers: how requests failed, then where, the narrowest place first.

    `bad` and `traffic` have the texts of drawn requests by dimension, "" where a request has none.
    """
    counts = {name: Counter(texts) for name, texts in zip(dimensions, bad, strict=True)}
    usual = {name: Counter(texts) for name, texts in zip(dimensions, traffic, strict=True)}
    tops = {name: top for name, found in counts.items() if (top := _top(found)) is not None}
    kinds = [_driver(name, tops[name], counts[name]) for name in KINDS if name in tops]
    # The status says again what the type of the error says.
    found = kinds[:1]
    places = {
        name: _parts(top, counts[name], usual[name])
        for name, top in tops.items()
        if name not in KINDS and usual[name].total() >= FEWEST_KNOWN
    }
    for standout in standouts(places):
        if standout.value:
            found.append(_driver(standout.dimension, standout.value, counts[standout.dimension]))
    return tuple(found[:MOST_DRIVERS])


def _top(found: Mapping[str, int]) -> str | None:
    """Return the value that most have, if they are enough."""
    value = min(found, key=lambda each: (-found[each], each), default="")
    is_clear = bool(value) and found[value] >= LEAST_SHARE * sum(found.values())
    return value if is_clear and found[value] >= LEAST_BAD else None


def _parts(top: str, bad: Counter[str], usual: Counter[str]) -> tuple[Part, Part]:
    known = float(usual[top]) or UNSEEN
    rest = float(usual.total() - usual[top])
    # Nothing is expected to be bad, so that the excess is all that is.
    return (
        Part(top, total=known, bad=float(bad[top]), expected=0.0),
        Part("", total=rest, bad=float(bad.total() - bad[top]), expected=0.0),
    )


def _driver(name: str, value: str, found: Counter[str]) -> Driver:
    share = round(found[value] / found.total(), SHARE_DIGITS)
    return Driver(dimension=name, value=value, share=share)
