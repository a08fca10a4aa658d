"""A seeded fleet: request events of many models, teams and users, in order of event time.

Everything is relative to the start, so one seed gives one sequence of requests at any start; ids
contain the event time, so two runs of one seed never share an id.
"""

from __future__ import annotations

import heapq
import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from inferometer.core.bins import bin_of_us
from inferometer.sdk.ids import uuid7_text
from inferometer.simulate import catalogue
from inferometer.simulate.scenario import OUT, Trouble, load, trouble

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inferometer.simulate.catalogue import SimulatedModel
    from inferometer.simulate.scenario import Outage

Wire = dict[str, Any]
"""Fields of one event as they go on the wire, defaults left out."""

_DRAWS = 2048
_RETRIED = frozenset({429, 500, 503})
_GAP_SHAPE = (
    (-120, 0.06), (-60, 0.16), (-20, 0.22), (0, 0.2), (20, 0.17), (70, 0.12), (170, 0.05),
    (320, 0.02),
)  # fmt: skip
"""Gaps around their middle: distance in bins (1 % each), part of the gaps."""

_RARE = ((400, 0.004), (401, 0.005), (429, 0.008), (500, 0.011), (499, 0.021))
"""Statuses of calm times, each with its cumulated chance."""

_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    429: "rate_limit_error",
    499: "client_closed_request",
    500: "internal_error",
    503: "overloaded_error",
}


class _Draws:
    """Random numbers drawn in blocks: one at a time, NumPy would cost more than the event."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.default_rng(seed)
        self.uniform = self._stream(self._generator.random)
        self.normal = self._stream(self._generator.standard_normal)
        self.exponential = self._stream(self._generator.standard_exponential)
        self.bits = self._stream(lambda n: self._generator.integers(0, 1 << 62, n))
        models = np.array([model.share for model in catalogue.MODELS])
        self.model = self._stream(
            lambda n: self._generator.choice(len(models), n, p=models / models.sum())
        )
        ranks = 1.0 / np.arange(1, catalogue.USERS + 1) ** 1.1
        self.user = self._stream(
            lambda n: self._generator.choice(catalogue.USERS, n, p=ranks / ranks.sum())
        )

    @staticmethod
    def _stream(draw: Any) -> Any:
        def values() -> Iterator[Any]:
            while True:
                yield from draw(_DRAWS).tolist()

        return values().__next__


class Fleet:
    """Events of a fleet from `start_us` (event time, microseconds since 1970) at a mean rate.

    `clean` leaves out retries, so that every event is a request of its own; nothing is ever sent
    twice either way.
    """

    def __init__(
        self,
        *,
        seed: int,
        start_us: int,
        rate: float,
        clean: bool = False,
        source: str = "simulate",
        outage: Outage | None = None,
    ) -> None:
        if rate <= 0:
            raise ValueError("rate must be above 0 events a second")
        self._draws = _Draws(seed)
        self._start_us = start_us
        self._rate = rate
        self._clean = clean
        self._source = source
        self._outage = outage
        self._order = itertools.count()

    def events(self) -> Iterator[Wire]:
        """Yield events without end, `ts_end` ascending."""
        later: list[tuple[int, int, Wire]] = []
        since_start_s = 0.0
        while True:
            since_start_s += self._draws.exponential() / (self._rate * load(since_start_s))
            ts_end = self._start_us + int(since_start_s * 1e6)
            while later and later[0][0] <= ts_end:
                yield heapq.heappop(later)[2]
            event = self._request(since_start_s, ts_end)
            if self._may_retry(event, since_start_s) and self._draws.uniform() < 0.5:
                final = self._retry(event, since_start_s)
                heapq.heappush(later, (final["ts_end"], next(self._order), final))
            yield event

    def take(self, count: int) -> list[Wire]:
        """Return the first `count` events of a new sequence."""
        return list(itertools.islice(self.events(), count))

    def _request(self, since_start_s: float, ts_end: int) -> Wire:
        draws = self._draws
        model = catalogue.MODELS[draws.model()]
        now = trouble(since_start_s, model.provider, model.model)
        if self._is_out(since_start_s):
            now = OUT
        event = self._identity(model, ts_end)
        status = self._status(now)
        if status == 499 and not event.get("stream"):
            status = 200
        event["status_code"] = status
        queue_ms = 4.0 * load(since_start_s) ** 3 * now.slowness**2 * _spread(draws.normal(), 1.0)
        if status in {200, 499}:
            self._answer(event, model, queue_ms, now.slowness)
            if status == 499:
                event["error_type"] = _ERRORS[499]
        else:
            self._refusal(event, status, queue_ms)
        event["ts"] = ts_end - round(event["e2e_ms"] * 1000)
        return event

    def _identity(self, model: SimulatedModel, ts_end: int) -> Wire:
        draws = self._draws
        user, spread = draws.user(), draws.bits()
        region = catalogue.REGIONS[spread % 4]
        ticks = ts_end * 4096 // 1000
        event: Wire = {
            "event_id": uuid7_text(ticks, draws.bits()),
            "source": f"{self._source}/{region}",
            "ts": 0,
            "ts_end": ts_end,
            "workspace_id": f"workspace-{user % 3}",
            "environment": catalogue.ENVIRONMENTS[spread >> 2 & 3],
            "request_id": uuid7_text(ticks, spread),
            "trace_id": f"{draws.bits():016x}{spread:016x}",
            "provider": model.provider,
            "model": model.model,
            "hosting": model.hosting,
            "deployment_type": model.deployment_type,
            "user_id": f"user-{user:04d}",
            "team_ids": [f"team-{user % catalogue.TEAMS:02d}"],
            "virtual_account_id": f"va-{user % catalogue.VIRTUAL_ACCOUNTS:02d}",
            "metadata": {"app": f"app-{user % 7}", "tier": catalogue.TIERS[user % 3]},
            "region": region,
        }
        if feature := catalogue.FEATURES[spread >> 4 & 3]:
            event["feature"] = feature
        if model.operation != "chat":
            event["operation"] = model.operation
        if model.model_type != "text":
            event["model_type"] = model.model_type
        if model.virtual_model:
            event["virtual_model"] = model.virtual_model
        if model.model_version:
            event["model_version"] = model.model_version
        if spread >> 8 & 31 == 0:
            event["traffic_class"] = "batch"
        if model.gpu_type:
            self._placement(event, model, spread >> 16)
        if model.stream_share and draws.uniform() < model.stream_share:
            event["stream"] = True
        return event

    def _placement(self, event: Wire, model: SimulatedModel, spread: int) -> None:
        node = spread % catalogue.NODES_PER_REGION
        event["node_id"] = f"node-{event['region']}-{node:02d}"
        event["pod_id"] = f"{model.model}-{spread % 97:02d}"
        event["gpu_type"] = model.gpu_type
        event["gpu_count"] = model.gpu_count
        event["tp_size"] = model.gpu_count
        event["gpu_ids"] = [f"gpu-{node:02d}-{n}" for n in range(model.gpu_count)]
        event["batch_size_at_start"] = 1 + spread % 48
        if spread % 401 == 0:
            event["cold_start"] = True
            event["cold_start_ms"] = round(20_000 * _spread(self._draws.normal(), 0.3), 3)
            event["model_load_bytes"] = 35_000_000_000 * model.gpu_count

    def _may_retry(self, event: Wire, since_start_s: float) -> bool:
        is_hopeless = self._clean or self._is_out(since_start_s)
        return event["status_code"] in _RETRIED and not is_hopeless

    def _is_out(self, since_start_s: float) -> bool:
        return self._outage is not None and self._outage.holds(since_start_s)

    def _status(self, now: Trouble) -> int:
        draw = self._draws.uniform()
        if draw < now.limited:
            return 429
        if draw < now.limited + now.failing:
            return 503
        rare = self._draws.uniform()
        return next((status for status, below in _RARE if rare < below), 200)

    def _refusal(self, event: Wire, status: int, queue_ms: float) -> None:
        event["error_type"] = _ERRORS[status]
        event["usage_source"] = "missing"
        event["queue_ms"] = round(queue_ms, 3)
        waited_ms = 900.0 if status >= 500 else 12.0
        event["e2e_ms"] = round(queue_ms + waited_ms * _spread(self._draws.normal(), 0.5), 3)
        if status == 429:
            event["ratelimit_limit_requests"] = 600
            event["ratelimit_remaining_requests"] = 0

    def _answer(self, event: Wire, model: SimulatedModel, queue_ms: float, slowness: float) -> None:
        prefill_ms = model.prefill_ms * slowness * _spread(self._draws.normal(), 0.35)
        start_ms = queue_ms + prefill_ms + event.get("cold_start_ms", 0.0)
        event["queue_ms"] = round(queue_ms, 3)
        if model.unit == "tokens":
            self._tokens(event, model, start_ms, slowness)
        else:
            self._media(event, model)
            event["e2e_ms"] = round(start_ms, 3)
        event["finish_reason"] = "stop" if event["status_code"] == 200 else "abort"
        if model.gpu_count:
            event["gpu_seconds"] = round(event["e2e_ms"] / 1000 * model.gpu_count / 16, 6)

    def _tokens(self, event: Wire, model: SimulatedModel, start_ms: float, slowness: float) -> None:
        draws = self._draws
        inputs = 1 + int(model.input_tokens * _spread(draws.normal(), 0.8))
        outputs = 1 + int(model.output_tokens * _spread(draws.normal(), 0.7))
        if event["status_code"] == 499:
            outputs = 1 + int(outputs * draws.uniform())
            event["usage_source"] = "partial"
        gap_ms = model.gap_ms * slowness * _spread(draws.normal(), 0.2)
        decode_ms = gap_ms * (outputs - 1)
        event["input_tokens"] = inputs
        event["output_tokens"] = outputs
        if draws.uniform() < model.cache_read_share:
            _set(event, "cache_read_tokens", int(inputs * 0.9 * draws.uniform()))
        elif draws.uniform() < model.cache_write_share:
            _set(event, "cache_write_5m_tokens", int(inputs * 0.8))
        if model.model_type == "vision_language":
            left = inputs - event.get("cache_read_tokens", 0)
            _set(event, "image_input_tokens", left // 2)
        if model.reasoning:
            _set(event, "reasoning_tokens", int(outputs * model.reasoning * draws.uniform()))
        event["e2e_ms"] = round(start_ms + decode_ms, 3)
        if event.get("stream"):
            event["ttft_ms"] = round(min(start_ms, event["e2e_ms"]), 3)
            if outputs > 1:
                event["tpot_ms"] = round(decode_ms / (outputs - 1), 3)
                event["itl"] = gaps(outputs - 1, decode_ms)

    def _media(self, event: Wire, model: SimulatedModel) -> None:
        amount = _spread(self._draws.normal(), 0.7)
        if model.unit == "embedding":
            event["input_tokens"] = 1 + int(model.input_tokens * amount)
            event["output_tokens"] = 0
        elif model.unit == "image":
            images = 1 + int(3 * self._draws.uniform() ** 3)
            event["input_tokens"] = 1 + int(model.input_tokens * amount)
            event["output_tokens"] = event["image_output_tokens"] = images * int(
                model.output_tokens
            )
            event["images"] = images
            event["billed_success"] = True
        elif model.unit == "speech":
            event["characters"] = 1 + int(180 * amount)
            event["audio_out_seconds"] = round(event["characters"] / 15, 3)
        else:
            seconds = round(40 * amount, 3)
            event["audio_in_seconds"] = seconds
            event["input_tokens"] = event["audio_input_tokens"] = 1 + int(seconds * 10)
            event["output_tokens"] = int(seconds * 3)

    def _retry(self, first: Wire, since_start_s: float) -> Wire:
        """Turn an event into a failed first attempt; return the final attempt after it."""
        backoff_us = int(250_000 * _spread(self._draws.normal(), 0.4))
        ts_end = first["ts_end"] + backoff_us
        model = next(each for each in catalogue.MODELS if each.model == first["model"])
        final = dict(first)
        for name in ("error_type", "usage_source", "ttft_ms", "ratelimit_limit_requests",
                     "ratelimit_remaining_requests", "cold_start", "cold_start_ms",
                     "model_load_bytes"):  # fmt: skip
            final.pop(name, None)
        first |= {"attempt_id": f"{first['request_id']}-1", "is_final": False}
        final |= {
            "attempt_id": f"{first['request_id']}-2",
            "attempt_no": 2,
            "is_retry": True,
            "status_code": 200,
        }
        self._answer(final, model, 4.0 * load(since_start_s), 1.0)
        # The caller waited for both attempts: the final one counts from the receipt.
        waited_ms = round((ts_end - first["ts"]) / 1000, 3)
        final["ts"] = first["ts"]
        final["e2e_ms"] = round(final["e2e_ms"] + waited_ms, 3)
        if "ttft_ms" in final:
            final["ttft_ms"] = round(final["ttft_ms"] + waited_ms, 3)
        final["ts_end"] = first["ts"] + round(final["e2e_ms"] * 1000)
        final["event_id"] = uuid7_text(final["ts_end"] * 4096 // 1000, self._draws.bits())
        return final


def gaps(count: int, sum_ms: float) -> Wire:
    """Return the wire form of `count` gaps of a typical spread that sum to `sum_ms`."""
    middle = max(400, bin_of_us(round(sum_ms * 1000 / count)))
    counts = [int(count * part) for _, part in _GAP_SHAPE]
    counts[3] += count - sum(counts)
    bins: list[int] = []
    for (distance, _), number in zip(_GAP_SHAPE, counts, strict=True):
        if number:
            bins += (middle + distance, number)
    return {"count": count, "sum_ms": round(sum_ms, 3), "bins": bins}


def _set(event: Wire, name: str, tokens: int) -> None:
    """Set a bucket unless it is empty, as that is its default."""
    if tokens:
        event[name] = tokens


def _spread(normal: float, sigma: float) -> float:
    """Return a log-normal factor of median 1."""
    return math.exp(normal * sigma)
