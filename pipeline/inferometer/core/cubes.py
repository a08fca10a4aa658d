"""The cubes: which dimensions and measures a roll-up row has, in the order of its table.

Invariants: every measure is a sum, so rows of one (window, group) add up in any order; nothing is
kept that a further row could not repair (no minimum, no maximum: the outer bins tell).
The tables in `schemas/clickhouse` have these columns in this order; a test holds both together.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

CUBES_VERSION = "1"
"""Pinned in every intent; changes whenever a dimension, measure or resolution does."""


class DimensionKind(enum.Enum):
    """How a dimension is stored."""

    CODE = enum.auto()
    """Text that repeats: `LowCardinality(String)`."""
    STATUS_CODE = enum.auto()
    """The HTTP status: `UInt16`."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """One column that rows are grouped by; named as the event's field where there is one."""

    name: str
    kind: DimensionKind = DimensionKind.CODE


@dataclass(frozen=True, slots=True)
class Resolution:
    """The length of a cube's windows; windows are tumbling, UTC, and start at multiples of it."""

    name: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Cube:
    """A set of dimensions, and the resolutions that it is kept at."""

    name: str
    dimensions: tuple[Dimension, ...]
    resolutions: tuple[Resolution, ...]


RESOLUTION_10S = Resolution("10s", 10)
RESOLUTION_1M = Resolution("1m", 60)
RESOLUTION_1H = Resolution("1h", 3600)
RESOLUTIONS = (RESOLUTION_10S, RESOLUTION_1M, RESOLUTION_1H)

SERVICE = Cube(
    "service",
    (
        Dimension("workspace_id"),
        Dimension("environment"),
        Dimension("provider"),
        Dimension("model"),
        Dimension("model_version"),
        Dimension("model_type"),
        Dimension("region"),
        Dimension("deployment_type"),
        Dimension("traffic_class"),
        Dimension("status_code", DimensionKind.STATUS_CODE),
        Dimension("error_type"),
    ),
    RESOLUTIONS,
)

# From one minute only: at 10 s a cube by user has about as many rows as the log.
USAGE = Cube(
    "usage",
    (
        Dimension("workspace_id"),
        Dimension("model"),
        Dimension("virtual_model"),
        Dimension("team_id"),
        Dimension("user_id"),
        Dimension("virtual_account_id"),
        Dimension("status_class"),
    ),
    (RESOLUTION_1M, RESOLUTION_1H),
)

CUBES = (SERVICE, USAGE)

CLASS_MEASURES = {
    "2xx": "successes",
    "4xx": "errors_4xx",
    "429": "rate_limited",
    "499": "client_aborted",
    "5xx": "errors_5xx",
    "other": "errors_other",
}
"""The measure that counts each status class; they sum to `requests`."""

COUNT_MEASURES = ("attempts", "requests", *CLASS_MEASURES.values())
"""`attempts` counts rows; the others count final attempts only (decision 6)."""

TOKEN_MEASURES = (
    "input_tokens",
    "output_tokens",
    "uncached_input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "audio_input_tokens",
    "image_input_tokens",
    "video_input_tokens",
    "text_output_tokens",
    "reasoning_tokens",
    "audio_output_tokens",
    "image_output_tokens",
)
"""Sums over all attempts; two inclusive totals, then their disjoint buckets."""

MEDIA_MEASURES = ("images", "characters", "audio_out_us", "audio_in_us", "video_us")
"""Sums over all attempts; durations in integer microseconds."""

EFFORT_MEASURES = (
    "gpu_us",
    "egress_bytes",
    "cold_starts",
    "cache_hits",
    "deadlines_missed",
)
"""Sums over all attempts."""

COST_MEASURE = "cost_usd"
"""Sum over all attempts, `Decimal(38, 12)`: 128-bit integers of pico-dollars."""

UNPRICED_MEASURES = ("unpriced_requests", "partially_priced_requests")
"""Attempts of which the price book knows nothing, or not every unit."""

DURATIONS = ("queue", "ttft", "ttfa", "prefill", "decode", "e2e", "tpot", "itl")
"""Each has `<name>_us_sum` and `<name>_count`, over final attempts that carry it; `itl` counts
gaps, not requests."""

SKETCHES = ("ttft", "e2e", "itl", "tpot", "queue")
"""The durations that also have `<name>_bins`, a map from bin to count (`inferometer.core.bins`)."""


def duration_columns(duration: str) -> tuple[str, str]:
    """Return the names of a duration's sum (microseconds) and count."""
    return f"{duration}_us_sum", f"{duration}_count"


def bins_column(sketch: str) -> str:
    """Return the name of a sketch's column."""
    return f"{sketch}_bins"


WINDOW_COLUMN = "window_start"

COUNTER_MEASURES = (*COUNT_MEASURES, *TOKEN_MEASURES, *MEDIA_MEASURES, *EFFORT_MEASURES)
"""The `UInt64` measures in front of `cost_usd`."""

MEASURES = (
    *COUNTER_MEASURES,
    COST_MEASURE,
    *UNPRICED_MEASURES,
    *(column for duration in DURATIONS for column in duration_columns(duration)),
    *(bins_column(sketch) for sketch in SKETCHES),
)
"""Every measure, in the order of the tables."""


def rows_table(cube: Cube, resolution: Resolution) -> str:
    """Return the physical table of a cube's delta rows."""
    return f"{cube.name}_{resolution.name}_rows"


def row_columns(cube: Cube) -> tuple[str, ...]:
    """Return every column of a cube's tables, in order."""
    return (WINDOW_COLUMN, *(dimension.name for dimension in cube.dimensions), *MEASURES)
