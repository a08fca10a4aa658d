"""Names of measures to what they are: fixed ones, and those of durations that a name describes.

Any quantile (`ttft_p99.9_ms`) and any share (`e2e_share_below_500ms`) can be asked for; the
catalogue lists the usual ones.
"""

from __future__ import annotations

import difflib
import re
from decimal import Decimal
from functools import lru_cache

from inferometer.core.cubes import CUBES, DURATIONS, SKETCHES
from inferometer.core.query.fixed_measures import FIXED_MEASURES
from inferometer.core.query.measures import Mean, Measure, Quantile, ShareBelow, Sum, Sums, Unit
from inferometer.core.query.plans import LOG
from inferometer.errors import PipelineError

LISTED_PERCENTILES = ("50", "75", "90", "95", "99")
SHARE_EXAMPLE_MS = {"ttft": 1000, "e2e": 5000, "itl": 100, "tpot": 100, "queue": 500}
MOST_PERCENT = 100.0

DURATION_WORDS = {
    "queue": ("Queue time", "from receipt to the start of work"),
    "ttft": ("TTFT", "from receipt to the first token of any kind, queue included"),
    "ttfa": ("TTFA", "from receipt to the first token of the answer, after any reasoning"),
    "prefill": ("Prefill", "spent on reading the input"),
    "decode": ("Decode", "from the first token to the last"),
    "e2e": ("Latency", "from receipt to the last byte, at the server"),
    "tpot": ("TPOT", "a request: (latency - TTFT) / (output tokens - 1)"),
    "itl": ("ITL", "between successive chunks of a stream; counts gaps, not requests"),
}
"""Label, and the end of a definition, of each duration."""

_QUANTILE = re.compile(r"(?P<duration>[a-z0-9]+)_p(?P<percent>\d{1,3}(\.\d{1,3})?)_ms")
_SHARE = re.compile(r"(?P<duration>[a-z0-9]+)_share_below_(?P<limit>\d{1,9}(\.\d{1,3})?)ms")
_MEAN = re.compile(r"(?P<duration>[a-z0-9]+)_mean_ms")


class UnknownMeasureError(PipelineError):
    """A name that no measure has; `reason` and `remedy` are apart for whoever asked."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason = reason
        self.remedy = remedy


def mean_of(duration: str) -> Measure:
    """Return the mean of a duration."""
    label, what = DURATION_WORDS[duration]
    return Measure(
        f"{duration}_mean_ms",
        f"{label} mean",
        Unit.MILLISECONDS,
        f"The mean of the time {what}.",
        Mean(duration),
        higher_is_worse=True,
    )


def ratio_of(percent: str) -> float:
    """Return a percentage as the float nearest to its ratio: 99.9 / 100 would be above 0.999."""
    return float(Decimal(percent) / 100)


def quantile_of(duration: str, percent: str) -> Measure:
    """Return a quantile of a duration that has a sketch; `percent` as it stands in the name."""
    label, what = DURATION_WORDS[duration]
    return Measure(
        f"{duration}_p{percent}_ms",
        f"{label} p{percent}",
        Unit.MILLISECONDS,
        f"The time {what}, that {percent} % stay at or below; right to 0.5 %.",
        Quantile(duration, ratio_of(percent)),
        higher_is_worse=True,
    )


def share_of(duration: str, limit_ms: str) -> Measure:
    """Return the share of a duration at or below a limit, as it stands in the name."""
    label, what = DURATION_WORDS[duration]
    return Measure(
        f"{duration}_share_below_{limit_ms}ms",
        f"{label} within {limit_ms} ms",
        Unit.RATIO,
        f"The share that took at most {limit_ms} ms {what}; the limit is right to 1 %.",
        ShareBelow(duration, float(limit_ms)),
        higher_is_worse=False,
    )


MEASURES: tuple[Measure, ...] = (
    *FIXED_MEASURES,
    *(mean_of(duration) for duration in DURATIONS),
    *(quantile_of(sketch, percent) for sketch in SKETCHES for percent in LISTED_PERCENTILES),
    *(share_of(sketch, str(SHARE_EXAMPLE_MS[sketch])) for sketch in SKETCHES),
)
"""What is listed; the last are examples of shares."""

_BY_NAME = {measure.name: measure for measure in MEASURES}


def measure(name: str) -> Measure:
    """Return the measure of a name. Raises UnknownMeasureError, which says what was meant."""
    return _BY_NAME.get(name) or _described(name)


@lru_cache(maxsize=1024)
def _described(name: str) -> Measure:
    if match := _QUANTILE.fullmatch(name):
        _expect_sketch(match["duration"], "quantiles")
        if not 0 <= float(match["percent"]) <= MOST_PERCENT:
            raise UnknownMeasureError(
                f"{name} is no quantile", "write a percentage of 0 to 100, such as p99.9"
            )
        return quantile_of(match["duration"], match["percent"])
    if match := _SHARE.fullmatch(name):
        _expect_sketch(match["duration"], "shares")
        return share_of(match["duration"], match["limit"])
    if match := _MEAN.fullmatch(name):
        known = ", ".join(DURATIONS)
        raise UnknownMeasureError(f"no duration is called {match['duration']}", f"known: {known}")
    raise UnknownMeasureError(f"no measure is called {name[:80]!r}", _hint(name))


def _expect_sketch(duration: str, what: str) -> None:
    if duration in SKETCHES:
        return
    if duration in DURATIONS:
        raise UnknownMeasureError(
            f"{duration} has a mean, but no sketch for {what}", f"ask for {duration}_mean_ms"
        )
    meant = difflib.get_close_matches(duration, SKETCHES, n=1)
    raise UnknownMeasureError(
        f"no duration is called {duration}",
        f"did you mean {meant[0]}?" if meant else f"known: {', '.join(SKETCHES)}",
    )


def _hint(name: str) -> str:
    close = difflib.get_close_matches(name.casefold(), list(_BY_NAME), n=1)
    if close:
        return f"did you mean {close[0]}?"
    return "/api/v1/measures lists them; quantiles are written like ttft_p99_ms"


def relations_of(asked: Measure) -> tuple[str, ...]:
    """Return what can answer a measure: the names of cubes, and the log."""
    return (LOG,) if asked.is_from_log_only else (*(cube.name for cube in CUBES), LOG)


def is_sum(asked: Measure) -> bool:
    """Return whether values of groups add up to the value of all, and nothing is 0."""
    return isinstance(asked.form, Sum | Sums)
