"""Recorded traces as records to send: four formats, read line by line, errors with their place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from inferometer.core import codec
from inferometer.core.events import EPOCH, InferenceRequest
from inferometer.errors import DecodeError, PipelineError
from inferometer.simulate.shifting import (
    NO_SHIFT,
    Shift,
    instant_us,
    parse_object,
    shift_to,
    shifted_line,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_MICROSECOND = timedelta(microseconds=1)
_AZURE_HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens"


class TraceError(PipelineError):
    """A trace that cannot be read; the message names file, line and remedy."""


@dataclass(frozen=True, slots=True)
class TraceRecord:
    """One record to send, as it stands after the shift."""

    line: int
    """Line of the file, counted from 1."""
    value: bytes
    key: bytes | None
    """The request id; None where the line has none."""
    ts_end_us: int | None
    """Event time; None for a line of `events` that states none."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace file; reads it anew for every pass, so memory does not grow with the file.

    `replay_id` makes the event ids of one replay: `{replay_id}-{format}-{line}`, so that the same
    replay started again sends the same ids. Lines of `events` keep their own.
    """

    path: Path
    trace_format: str
    replay_id: str
    model: str = ""
    """Model of every event; empty for the format's own. Not applied to `events`."""

    def shift(self, *, end_at_us: int | None = None, start_at_us: int | None = None) -> Shift:
        """Read all event times and return the shift to the given end or start.

        Raises TraceError.
        """
        return shift_to(self._times(), end_at_us=end_at_us, start_at_us=start_at_us)

    def records(self, shift: Shift = NO_SHIFT) -> Iterator[TraceRecord]:
        """Yield the records in the order of the file; raises TraceError at a malformed line."""
        if self.trace_format == EVENTS_FORMAT:
            yield from self._events(shift)
            return
        for number, fields in self._parsed():
            if shift.applies_to(fields["ts_end"]):
                fields["ts_end"] += shift.by_us
                if "ts" in fields:
                    fields["ts"] += shift.by_us
            event = self._event(number, fields)
            yield TraceRecord(number, codec.encode(event), codec.key(event), event.ts_end)

    def _event(self, number: int, fields: dict[str, Any]) -> InferenceRequest:
        name = f"{self.replay_id}-{self.trace_format}-{number}"
        identity = {
            "event_id": name,
            "request_id": fields.pop("request_id", name),
            "source": f"replay/{self.trace_format}",
            "model": self.model or DEFAULT_MODELS[self.trace_format],
            "status_code": 200,
        }
        try:
            return codec.event_of({**identity, **fields})
        except DecodeError as error:
            raise self._error(number, f"{error.detail}; mend or remove the line") from error

    def _times(self) -> Iterator[int]:
        if self.trace_format != EVENTS_FORMAT:
            yield from (fields["ts_end"] for _, fields in self._parsed())
            return
        for _, line in self._lines():
            at_us = instant_us((parse_object(line) or {}).get("ts_end"))
            if at_us is not None:
                yield at_us

    def _events(self, shift: Shift) -> Iterator[TraceRecord]:
        for number, line in self._lines():
            document = parse_object(line) or {}
            at_us = instant_us(document.get("ts_end"))
            request_id = document.get("request_id")
            key = request_id.encode() if isinstance(request_id, str) and request_id else None
            if at_us is not None and shift.applies_to(at_us):
                line, at_us = shifted_line(line, shift.by_us), at_us + shift.by_us
            yield TraceRecord(number, line, key, at_us)

    def _parsed(self) -> Iterator[tuple[int, dict[str, Any]]]:
        parse = _PARSERS[self.trace_format]
        for number, line in self._lines():
            try:
                fields = parse(line.decode("utf-8-sig").strip())
            except (ValueError, KeyError, TypeError, OverflowError) as error:
                reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else error
                expected = EXPECTED_LINES[self.trace_format]
                raise self._error(
                    number,
                    f"not a line of {self.trace_format} ({reason}); expected {expected}; "
                    "mend or remove the line, or choose another --format",
                ) from error
            if fields is not None:
                yield number, fields

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        try:
            with self.path.open("rb") as file:
                for number, line in enumerate(file, start=1):
                    yield number, line.removesuffix(b"\n")
        except OSError as error:
            raise TraceError(
                f"cannot read {self.path}: {error.strerror}; check the path"
            ) from error

    def _error(self, number: int, problem: str) -> TraceError:
        return TraceError(f"{self.path}:{number}: {problem}")


def open_trace(path: Path, *, trace_format: str, replay_id: str, model: str = "") -> Trace:
    """Return a trace; raises TraceError for an unknown format or a file that is not there."""
    if trace_format not in FORMATS:
        raise TraceError(f"unknown trace format {trace_format!r}; use one of {', '.join(FORMATS)}")
    if not path.is_file():
        raise TraceError(f"no trace file at {path}; check the path")
    return Trace(path=path, trace_format=trace_format, replay_id=replay_id, model=model)


def _azure_llm(line: str) -> dict[str, Any] | None:
    if not line or line == _AZURE_HEADER:
        return None
    timestamp, context, generated = line.split(",")
    # Seven digits of a second: fromisoformat cuts what a microsecond cannot hold.
    instant = datetime.fromisoformat(timestamp)
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return {
        "ts_end": (instant - EPOCH) // _MICROSECOND,
        "input_tokens": int(context),
        "output_tokens": int(generated),
    }


def _mooncake(line: str) -> dict[str, Any] | None:
    if not line:
        return None
    row = _row(line)
    return {
        "ts_end": round(row["timestamp"] * 1000),
        "input_tokens": row["input_length"],
        "output_tokens": row["output_length"],
    }


def _vllm_requests(line: str) -> dict[str, Any] | None:
    if not line:
        return None
    row = _row(line)
    ts = round(row["arrival_time"] * 1e6)
    e2e_ms = _elapsed_ms(row, "last_token_ts")
    # Durations come from the server's monotonic stamps, the wall clock only says when.
    return {
        "request_id": row["request_id"],
        "ts": ts,
        "ts_end": ts + round((e2e_ms or 0) * 1000),
        "stream": True,
        "input_tokens": row["input_toks"],
        "output_tokens": row["output_toks"],
        "queue_ms": _elapsed_ms(row, "scheduled_ts"),
        "ttft_ms": _elapsed_ms(row, "first_token_ts"),
        "e2e_ms": e2e_ms,
    }


def _elapsed_ms(row: dict[str, Any], stamp: str) -> float | None:
    """Return the time since the request was queued; None where the trace lacks a stamp."""
    start, end = row.get("queued_ts"), row.get(stamp)
    return None if start is None or end is None else round((end - start) * 1000, 3)


def _row(line: str) -> dict[str, Any]:
    row = parse_object(line.encode())
    if row is None:
        raise ValueError("no JSON object")
    return row


EVENTS_FORMAT = "events"

_PARSERS: dict[str, Callable[[str], dict[str, Any] | None]] = {
    "azure-llm": _azure_llm,
    "mooncake": _mooncake,
    "vllm-requests": _vllm_requests,
}

FORMATS = (*_PARSERS, EVENTS_FORMAT)

DEFAULT_MODELS = {
    "azure-llm": "azure-llm",
    "mooncake": "mooncake",
    "vllm-requests": "llama-3.1-8b-instruct",
}
"""The traces do not name their model; where the recorded run is known, its model stands here."""

EXPECTED_LINES = {
    "azure-llm": "2023-11-16 18:17:03.9799600,4808,10",
    "mooncake": '{"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46]}',
    "vllm-requests": '{"request_id": "r-1", "input_toks": 2358, "output_toks": 531, '
    '"arrival_time": 1787267980.08, "queued_ts": 27536.66, "scheduled_ts": 27536.67, '
    '"first_token_ts": 27537.35, "last_token_ts": 27554.23}',
}
