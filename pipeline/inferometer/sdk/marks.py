"""The marks of one run of a model, by one monotonic clock, and the fields that they come to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from inferometer.core.bins import bin_of_us

if TYPE_CHECKING:
    from collections.abc import Callable

OK_STATUS = 200
CLIENT_GONE_STATUS = 499
FAILED_STATUS = 500
MIN_TOKENS_FOR_TPOT = 2

_CLIENT_GONE = (asyncio.CancelledError, GeneratorExit)


class Measured:
    """The marks of one run of a model: when it began, its chunks, its end, its fields."""

    __slots__ = (
        "_answer_at", "_bins", "_ended_at", "_first_at", "_gap_max_s", "_gap_sum_s", "_gaps",
        "_last_at", "_monotonic", "_tokens", "fields", "started_at",
    )  # fmt: skip

    def __init__(self, monotonic: Callable[[], float], fields: dict[str, Any]) -> None:
        self._monotonic = monotonic
        self.fields = fields
        self.started_at = monotonic()
        self._first_at: float | None = None
        self._answer_at: float | None = None
        self._last_at = 0.0
        self._ended_at: float | None = None
        self._tokens = 0
        self._gaps = 0
        self._gap_sum_s = 0.0
        self._gap_max_s = 0.0
        self._bins: dict[int, int] = {}

    def mark_chunk(self, tokens: int) -> bool:
        """Note the arrival of a chunk; True for the first."""
        now = self._monotonic()
        self._tokens += tokens
        is_first = self._first_at is None
        if is_first:
            self._first_at = now
        else:
            gap_s = now - self._last_at
            self._gaps += 1
            self._gap_sum_s += gap_s
            self._gap_max_s = max(self._gap_max_s, gap_s)
            index = bin_of_us(round(gap_s * 1e6))
            self._bins[index] = self._bins.get(index, 0) + 1
        self._last_at = now
        return is_first

    def mark_answer(self) -> None:
        """Note the first token of the answer itself, after any reasoning."""
        if self._answer_at is None:
            self._answer_at = self._monotonic()

    def end(self) -> float:
        """Note the end, once; return it."""
        if self._ended_at is None:
            self._ended_at = self._monotonic()
        return self._ended_at

    def conclude(self, error: BaseException | None) -> None:
        """Set what the fields do not say yet about the outcome."""
        if error is None:
            self.fields.setdefault("status_code", OK_STATUS)
        elif "status_code" not in self.fields:
            is_gone = isinstance(error, _CLIENT_GONE)
            self.fields["status_code"] = CLIENT_GONE_STATUS if is_gone else FAILED_STATUS
            self.fields.setdefault("error_type", type(error).__name__)

    def durations(self, started_at: float) -> dict[str, Any]:
        """Return the measured fields, counted from `started_at`, rounded to microseconds."""
        e2e_ms = _ms(self.end() - started_at)
        found: dict[str, Any] = {"e2e_ms": e2e_ms}
        if self._tokens and "output_tokens" not in self.fields:
            found |= {"output_tokens": self._tokens, "usage_source": "estimated"}
        if self._answer_at is not None:
            found["ttfa_ms"] = _ms(self._answer_at - started_at)
        if self._first_at is None:
            return found
        # Rounding each on its own must not put the first token after the end.
        ttft_ms = min(_ms(self._first_at - started_at), e2e_ms)
        found |= {"ttft_ms": ttft_ms, "stream": True}
        tokens = self.fields.get("output_tokens", self._tokens)
        if tokens is not None and tokens >= MIN_TOKENS_FOR_TPOT:
            found["tpot_ms"] = round((e2e_ms - ttft_ms) / (tokens - 1), 3)
        if self._gaps:
            found["itl"] = {
                "count": self._gaps,
                "sum_ms": _ms(self._gap_sum_s),
                "max_ms": _ms(self._gap_max_s),
                "bins": [n for entry in sorted(self._bins.items()) for n in entry],
            }
        return found


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
