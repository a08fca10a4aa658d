"""Measurement of one request by one monotonic clock: first token, gaps, end, status, attempts."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, Self

from inferometer.core import codec
from inferometer.core.signals import DIMENSIONS
from inferometer.errors import DecodeError
from inferometer.sdk.deadlines import DeadlineState
from inferometer.sdk.marks import OK_STATUS, Measured
from inferometer.sdk.refusals import EventTooLargeError, InvalidEventError
from inferometer.sdk.settings import check_names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from inferometer.core.events import InferenceRequest
    from inferometer.core.signals import InferenceSignal
    from inferometer.sdk.deadlines import Deadline, DeadlineTimer
    from inferometer.sdk.ids import EventIds


class Sender(Protocol):
    """What a measurement needs of the client."""

    monotonic: Callable[[], float]
    clock_ns: Callable[[], int]
    ids: EventIds
    deadlines: DeadlineTimer
    defaults: Mapping[str, Any]

    def emit(self, event: InferenceRequest | Mapping[str, Any]) -> None:
        """Send an event; see `Client.emit`."""

    def emit_signal(self, signal: InferenceSignal) -> None:
        """Send a signal; see `Client.emit_signal`."""


class Attempt:
    """One attempt at a request, measured inside `with request.attempt(...)`."""

    __slots__ = ("_request", "measured")

    def __init__(self, request: Request, measured: Measured) -> None:
        self._request = request
        self.measured = measured

    def first_token(self, tokens: int = 0) -> None:
        """Mark the first chunk; the same as the first call of `chunk`."""
        self.chunk(tokens)

    def chunk(self, tokens: int = 0) -> None:
        """Mark a chunk of output, the first one included; `tokens` is how many it holds."""
        if self.measured.mark_chunk(tokens):
            self._request.settle_ttft()

    def first_answer_token(self) -> None:
        """Mark the end of reasoning: the first token that belongs to the answer."""
        self.measured.mark_answer()

    def set(self, **fields: Any) -> None:
        """Set fields of the event; TypeError for a name that is no field."""
        check_names(fields)
        self.measured.fields.update(fields)

    def finish(self, status_code: int = OK_STATUS, **fields: Any) -> None:
        """Stop the clock and set the outcome and usage; what follows does not count."""
        self.measured.end()
        self.set(status_code=status_code, **fields)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.measured.end()
        self.measured.conclude(error)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, trace)


class Request(Attempt):
    """One request, measured inside `with client.request(...)`; its clock starts when it is made.

    Leaving the block sends the event: status 200, or 500 with `error_type` for an exception, or
    499 for a cancellation, unless `finish` or `set` gave one. Exceptions pass through untouched,
    and nothing about sending raises here: what cannot be sent is counted and logged.

    A gateway that tries again opens `attempt(...)` for each try: one event an attempt, the last
    one final. Durations of the final attempt count from the receipt of the request (that is what
    the caller waited), those of the others from their own start. The event of an attempt is sent
    once it is known whether another follows.
    """

    __slots__ = (
        "_attempts", "_deadlines", "_is_sent", "_own", "_sender", "_started_us", "request_id",
    )  # fmt: skip

    def __init__(
        self,
        sender: Sender,
        fields: dict[str, Any],
        deadline_ttft_ms: float | None,
        deadline_e2e_ms: float | None,
    ) -> None:
        self._own = Measured(sender.monotonic, fields)
        super().__init__(self, self._own)
        self._sender = sender
        self._started_us = sender.clock_ns() // 1000
        self._attempts = 0
        self._is_sent = False
        if "request_id" not in fields:
            fields["request_id"] = sender.ids.next()
        self.request_id: str = fields["request_id"]
        self._deadlines: dict[str, Deadline] = {}
        for name, deadline_ms in (("ttft", deadline_ttft_ms), ("e2e", deadline_e2e_ms)):
            if deadline_ms is not None:
                self._deadlines[name] = sender.deadlines.add(
                    self._own.started_at + deadline_ms / 1000,
                    partial(self._signal_missed, name, deadline_ms),
                )

    def attempt(self, **fields: Any) -> Attempt:
        """Return a measurement of the next attempt; the one before becomes a non-final event.

        `fields` override those of the request; `attempt_no`, `is_retry` and `is_final` follow
        from the order unless given.
        """
        check_names(fields)
        if self._attempts:
            self._send(is_final=False)
        self._attempts += 1
        order = {
            "attempt_id": self._sender.ids.next(),
            "attempt_no": self._attempts,
            "is_retry": self._attempts > 1,
        }
        self.measured = Measured(self._sender.monotonic, {**self._own.fields, **order, **fields})
        return Attempt(self, self.measured)

    def settle_ttft(self) -> None:
        """Close the deadline of the first token; called at the first chunk of an attempt."""
        if "ttft" in self._deadlines:
            self._deadlines["ttft"].settle(self._sender.monotonic())

    def end(self, error: BaseException | None = None) -> None:
        """Send the event, once; for callers that cannot use `with`."""
        if self._is_sent:
            return
        self._is_sent = True
        ended_at = self.measured.end()
        for deadline in self._deadlines.values():
            deadline.settle(ended_at)
            if deadline.state is DeadlineState.MISSED:
                self.measured.fields["deadline_missed"] = True
        self._send(is_final=True, error=error)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end(error)

    def _send(self, *, is_final: bool, error: BaseException | None = None) -> None:
        measured = self.measured
        measured.conclude(error)
        origin = self._own.started_at if is_final else measured.started_at
        ts = self._started_us + round((origin - self._own.started_at) * 1e6)
        event = {"is_final": is_final, **measured.durations(origin), **measured.fields}
        event.setdefault("ts", ts)
        event.setdefault("ts_end", ts + round((measured.end() - origin) * 1e6))
        # The client has counted and logged a refusal; the caller's request must not fail for it.
        try:
            self._sender.emit(event)
        except (InvalidEventError, EventTooLargeError):
            return

    def _signal_missed(self, name: str, deadline_ms: float) -> None:
        known = {**self._sender.defaults, **self.measured.fields}
        fields = {dimension: known[dimension] for dimension in DIMENSIONS if dimension in known}
        fields |= {
            "event_id": self._sender.ids.next(),
            "source": known.get("source", ""),
            "request_id": self.request_id,
            "ts": self._started_us + round(deadline_ms * 1000),
            "deadline": name,
            "deadline_ms": float(deadline_ms),
        }
        # Fields that make no signal make no event either, which is refused and counted at the end.
        with contextlib.suppress(DecodeError, EventTooLargeError):
            self._sender.emit_signal(codec.signal_of(fields))
