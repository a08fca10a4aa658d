"""Parameters that many pages take, with the words that the OpenAPI document has for them."""

from __future__ import annotations

from inferometer.core.query.cursors import MOST_CHARACTERS
from inferometer.core.query.filters import MOST_FILTERS
from inferometer.core.query.questions import Comparison, Statuses
from inferometer.core.query.reading import (
    DEFAULT_MEASURE,
    MOST_GROUPED,
    MOST_MEASURES,
    MOST_TEXT_CHARACTERS,
    MOST_TOP,
)
from inferometer.web.api.parameters import Choice, Share, Text, Texts, Whole

WORKSPACE = Text(
    "workspace",
    "Only this workspace. A token of one workspace sees no other, and needs not say it.",
)
FROM = Text(
    "from",
    "Start of the span, included: an ISO 8601 instant, a date or a local time in `time_zone`, epoch "
    "milliseconds, or relative to now, such as `now-15m`, `now-7d`, or `now-1d/d` (rounded down to "
    "the day).",
    default="now-24h",
    example="now-7d",
    max_chars=64,
)
TO = Text("to", "End of the span, not included; as `from`.", default="now", max_chars=64)
TIME_ZONE = Text(
    "time_zone",
    "IANA name of the zone that days, weeks and months begin in.",
    default="UTC",
    example="Europe/Berlin",
    max_chars=64,
)
FILTER = Texts(
    "filter",
    "A condition; all of them hold. `model=a,b` (either), `model!=a` (not), `user_id^=team-` "
    "(begins so), `metadata.tenant=acme`; `\\,` is a comma inside a value. A metadata key that holds "
    "a comma, `=`, `!` or `^` has a backslash before it, and two for one: `metadata.a\\=b=acme`.",
    is_split=False,
    example="model=a,b",
    most=MOST_FILTERS,
)
RANGE = (FROM, TO, TIME_ZONE)
SCOPE = (WORKSPACE, *RANGE, FILTER)

MEASURE = Texts(
    "measure",
    "What to measure, by the names of `/measures`; repeated, or with commas. Also any "
    "`<duration>_p<NN>_ms` and `<duration>_share_below_<N>ms`.",
    default=(DEFAULT_MEASURE,),
    example="ttft_p99_ms",
    most=MOST_MEASURES,
)
GROUP_BY = Texts(
    "group_by",
    "Dimensions by the names of `/dimensions`, and `metadata.<key>`; repeated, or with commas. "
    "Inside a key, `\\,` is a comma, and other characters are escaped as in `filter`.",
    example="model",
    most=MOST_GROUPED,
)
GRANULARITY = Text(
    "granularity",
    "The length of a window: `auto`, `total`, 10s, 30s, 1m, 5m, 15m, 30m, 1h, 3h, 6h, 12h, 1d, 1w "
    "or 1mo. At most 1,500 windows.",
    default="auto",
    max_chars=8,
)
TOP = Whole(
    "top",
    "How many groups have a series of their own; the others are one more, `__other__`.",
    10,
    least=1,
    most=MOST_TOP,
)
ORDER_BY = Text(
    "order_by",
    "The measure that ranks groups, highest first; it need not be one of `measure`.",
    default=DEFAULT_MEASURE,
    example="cost_usd",
    max_chars=64,
)
STATUSES = Choice(
    "statuses", "The requests whose latencies count: successes, or all.", Statuses.SUCCESSES
)
COMPARE = Choice(
    "compare",
    "What the answer is held against: the span before, or, as `baseline`, the same span under "
    "`baseline_filter`. Of the span before, `compared.series` has the groups of `series`, then those "
    "of its own `top` that have nothing in the span asked for: they vanished.",
    Comparison.NONE,
)
BASELINE_FILTER = Texts(
    "baseline_filter",
    "As `filter`, for `compare=baseline`.",
    is_split=False,
    example="model=a",
    most=MOST_FILTERS,
)
PERCENTILE = Share("percentile", "The percentile of latencies.", 0.95, least=0, most=1)
PREFIX = Text("prefix", "Only what begins so.", max_chars=MOST_TEXT_CHARACTERS)
CURSOR = Text(
    "cursor", "Where the page before ended: its `next_cursor`.", max_chars=MOST_CHARACTERS
)
MEASURE_OF_CHANGES = Text(
    "measure",
    "What changed: a measure that is a sum, such as `cost_usd`, `requests` or `failures`.",
    default="cost_usd",
    max_chars=64,
)
