"""Gauges beside requests: what waits, how busy the GPUs are, and that this process lives."""

from __future__ import annotations

import atexit
import threading
from typing import TYPE_CHECKING, Any, Self

from inferometer.core import codec
from inferometer.core.gauges import GaugeSample
from inferometer.errors import DecodeError
from inferometer.sdk.refusals import InvalidEventError

if TYPE_CHECKING:
    from inferometer.sdk.client import Client

_FIELDS = frozenset(GaugeSample.model_fields) - {"event_id", "kind", "ts", "gauge", "value"}


class Gauges:
    """Sends samples of gauges through a client; safe for threads.

        with Gauges(client, heartbeat_s=10) as gauges:
            gauges.report("enqueued_tokens", 8_200_000_000, model="llama-3.1-8b")

    With `heartbeat_s` a thread says that often that its `source` lives, and on `close`, which the
    end of the process calls too, that it ends on purpose: a killed one is missed, a stopped one is
    not. A forked child has no heartbeat until it makes its own.
    """

    def __init__(self, client: Client, *, heartbeat_s: float = 0.0) -> None:
        """Send through `client`; its defaults say of whom. Raises ValueError."""
        if heartbeat_s < 0:
            raise ValueError(f"heartbeat_s must not be negative, got {heartbeat_s}")
        if heartbeat_s and not client.defaults.get("source"):
            raise ValueError(
                "heartbeats need a name that a restart keeps; pass source= to the client"
            )
        self._client = client
        self._heartbeat_s = heartbeat_s
        self._stopping = threading.Event()
        if heartbeat_s:
            threading.Thread(target=self._beat, name="inferometer-heartbeat", daemon=True).start()
            # Before the client's own end, because what is registered last is called first.
            atexit.register(self.close)

    def report(self, gauge: str, value: float, **fields: str) -> None:
        """Send the value of a gauge as it is now; returns at once.

        `gauge` is enqueued_tokens, enqueued_tokens_limit or gpu_utilisation (0 to 1); `fields` are
        dimensions of the sample, `model` for one. Raises InvalidEventError for what makes no
        sample; never for trouble with the broker. As signals, samples are not spooled.
        """
        self._client.emit_signal(self._sample(gauge, value, fields))

    def close(self) -> None:
        """End the heartbeats, and say that they end on purpose; closing again does nothing."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        if self._heartbeat_s:
            atexit.unregister(self.close)
            self.report("farewell", 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _beat(self) -> None:
        while not self._stopping.is_set():
            self.report("heartbeat", self._heartbeat_s)
            self._stopping.wait(self._heartbeat_s)

    def _sample(self, gauge: str, value: float, fields: dict[str, str]) -> GaugeSample:
        unknown = fields.keys() - _FIELDS
        if unknown:
            raise InvalidEventError("unknown_field", f"no field of a sample: {min(unknown)}")
        known: dict[str, Any] = {k: v for k, v in self._client.defaults.items() if k in _FIELDS}
        try:
            return codec.sample_of(
                {
                    **known,
                    **fields,
                    "event_id": self._client.ids.next(),
                    "ts": self._client.clock_ns() // 1000,
                    "gauge": gauge,
                    "value": value,
                }
            )
        except DecodeError as error:
            raise InvalidEventError(error.reason, error.detail) from error
