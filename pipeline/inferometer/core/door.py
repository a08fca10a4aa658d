"""The rules of the door: which decoded events may enter, checked on columns and on single events.

Invariants: the two forms agree (the column form only names rows, the single form gives the first
reason); the outcome depends on the event and the policy alone, and the policy carries the clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Protocol

import numpy as np

from inferometer.core.columns import MISSING
from inferometer.core.events import MAX_UINT32, STATUS_CLASSES, status_class
from inferometer.core.field_table import CODES
from inferometer.core.reasons import Reason, Refusal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inferometer.core.columns import CodeColumn
    from inferometer.core.events import InferenceRequest

INPUT_BUCKETS = (
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "audio_input_tokens",
    "image_input_tokens",
    "video_input_tokens",
)
OUTPUT_BUCKETS = ("reasoning_tokens", "audio_output_tokens", "image_output_tokens")
SIDES = (
    ("input_tokens", "uncached_input_tokens", INPUT_BUCKETS),
    ("output_tokens", "text_output_tokens", OUTPUT_BUCKETS),
)
"""Inclusive total, the bucket that is its remainder, the other disjoint buckets (decision 12)."""
REMAINDERS = frozenset(rest for _, rest, _ in SIDES)


class Rows(Protocol):
    """Events as columns, from whatever envelope, before it is known which of them may enter."""

    def number(self, name: str) -> NDArray[np.int64]:
        """Return a number of every row."""

    def code(self, name: str) -> CodeColumn:
        """Return a repeated text of every row."""


@dataclass(frozen=True, slots=True)
class DoorPolicy:
    """What the door holds an event time against; the clock is an argument, never read."""

    now_us: int
    retention_us: int
    future_tolerance_us: int

    @property
    def oldest_us(self) -> int:
        """The earliest event time that the log still keeps."""
        return self.now_us - self.retention_us

    @property
    def newest_us(self) -> int:
        """The latest event time that a clock may plausibly show."""
        return self.now_us + self.future_tolerance_us


def quantised(value: float | Decimal | None, scale: int) -> int:
    """Return a wire number in stored units, rounded half-even on its decimal value."""
    if value is None:
        return MISSING
    exact = value if isinstance(value, Decimal) else Decimal(repr(value))
    return int((exact * scale).to_integral_value(ROUND_HALF_EVEN))


def _check_tokens(event: InferenceRequest) -> Refusal | None:
    for total_name, rest_name, bucket_names in SIDES:
        total, rest = getattr(event, total_name), getattr(event, rest_name)
        buckets = sum(getattr(event, name) for name in bucket_names)
        whole = buckets + (rest or 0)
        if whole > MAX_UINT32 and total is None:
            return Refusal(Reason.OUT_OF_RANGE, f"{total_name}: buckets sum to {whole}")
        if total is not None and (total < whole or (rest is not None and total != whole)):
            return Refusal(
                Reason.TOKEN_SUM_MISMATCH,
                f"{total_name} is {total}, its disjoint buckets sum to {whole}; totals are "
                "inclusive, buckets must not overlap",
            )
    return None


def check_event(event: InferenceRequest, policy: DoorPolicy) -> Refusal | None:
    """Return why an event that fits the model may not enter, None where it may."""
    derived = status_class(event.status_code)
    if event.status_class not in {"", derived}:
        return Refusal(
            Reason.STATUS_CLASS_MISMATCH,
            f"status_code {event.status_code} is of class {derived}, not {event.status_class}",
        )
    tokens = _check_tokens(event)
    if tokens is not None:
        return tokens
    ttft_us, e2e_us = quantised(event.ttft_ms, 1000), quantised(event.e2e_ms, 1000)
    if MISSING not in {ttft_us, e2e_us} and ttft_us > e2e_us:
        return Refusal(
            Reason.TTFT_EXCEEDS_E2E, f"ttft_ms {event.ttft_ms} is beyond e2e_ms {event.e2e_ms}"
        )
    if event.ts_end < policy.oldest_us:
        return Refusal(
            Reason.EVENT_TIME_TOO_OLD,
            f"ts_end {event.ts_end} lies before {policy.oldest_us}, the retention of the log",
        )
    if event.ts_end > policy.newest_us:
        return Refusal(
            Reason.EVENT_TIME_IN_FUTURE,
            f"ts_end {event.ts_end} lies after {policy.newest_us}; check the producer's clock",
        )
    return None


def violations(rows: Rows, policy: DoorPolicy) -> NDArray[np.bool_]:
    """Return which rows break a rule; meaningless for rows whose values are undefined."""
    number = rows.number
    ends = number("ts_end")
    bad = (ends < policy.oldest_us) | (ends > policy.newest_us)
    for total_name, rest_name, bucket_names in SIDES:
        total, rest = number(total_name), number(rest_name)
        whole = sum(number(name) for name in bucket_names) + np.where(rest == MISSING, 0, rest)
        off = np.where(rest == MISSING, total < whole, total != whole)
        bad |= np.where(total == MISSING, whole > MAX_UINT32, off)
    ttft, e2e = number("ttft_ms"), number("e2e_ms")
    bad |= (ttft > e2e) & (e2e != MISSING)
    bad |= _wrong_class(rows)
    return bad | _unlisted(rows, len(bad))


def _wrong_class(rows: Rows) -> NDArray[np.bool_]:
    column, status = rows.code("status_class"), rows.number("status_code")
    if column.values == ("",):
        return np.zeros(len(status), dtype=np.bool_)
    known = [STATUS_CLASSES.index(v) if v in STATUS_CLASSES else -1 for v in column.values]
    given = np.array(known)[column.codes]
    contradicts: NDArray[np.bool_] = (column.codes != 0) & (given != status_classes(status))
    return contradicts


def _unlisted(rows: Rows, count: int) -> NDArray[np.bool_]:
    bad = np.zeros(count, dtype=np.bool_)
    for field in CODES:
        if not field.choices:
            continue
        column = rows.code(field.name)
        listed = np.array([value in field.choices for value in column.values])
        if not listed.all():
            bad |= ~listed[column.codes]
    return bad


def status_classes(status: NDArray[np.int64]) -> NDArray[np.int8]:
    """Return for each status code the index of its class in STATUS_CLASSES."""
    return _CLASS_OF_STATUS[np.clip(status, 0, 999)]


_CLASS_OF_STATUS = np.array(
    [STATUS_CLASSES.index(status_class(code)) for code in range(1000)], dtype=np.int8
)


def complete(numbers: dict[str, NDArray[np.int64]]) -> None:
    """Fill in place what follows from other fields of accepted events.

    Remainders and totals of tokens; `ts` from the end and the duration; `tpot_ms` by its
    definition `(e2e - ttft) / (output_tokens - 1)`, rounded half-even to a microsecond, where both
    durations are there, and none below two output tokens; `billed_success` from the status.
    """
    for total_name, rest_name, bucket_names in SIDES:
        total, rest = numbers[total_name], numbers[rest_name]
        others = sum(numbers[name] for name in bucket_names)
        known_rest = np.where(rest == MISSING, np.where(total == MISSING, 0, total - others), rest)
        numbers[rest_name] = known_rest
        numbers[total_name] = np.where(total == MISSING, others + known_rest, total)
    ends, e2e, ttft = numbers["ts_end"], numbers["e2e_ms"], numbers["ttft_ms"]
    numbers["ts"] = np.where(
        numbers["ts"] == MISSING,
        np.maximum(ends - np.where(e2e == MISSING, 0, e2e), 0),
        numbers["ts"],
    )
    numbers["tpot_ms"] = _tpot(e2e, ttft, numbers["tpot_ms"], numbers["output_tokens"])
    billed, status = numbers["billed_success"], numbers["status_code"]
    numbers["billed_success"] = np.where(billed == MISSING, status // 100 == 2, billed)


def _tpot(
    e2e: NDArray[np.int64],
    ttft: NDArray[np.int64],
    given: NDArray[np.int64],
    output_tokens: NDArray[np.int64],
) -> NDArray[np.int64]:
    steps = np.maximum(output_tokens - 1, 1)
    spread = e2e - ttft
    quotient, rest = np.divmod(spread, steps)
    up = (2 * rest > steps) | ((2 * rest == steps) & (quotient % 2 == 1))
    derivable = (e2e != MISSING) & (ttft != MISSING)
    value = np.where(derivable, quotient + up, given)
    return np.where(output_tokens < 2, MISSING, value)
