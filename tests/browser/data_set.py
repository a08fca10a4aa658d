"""Five days of a fleet as the records that its gateways sent, in the order of their arrival.

With retries, an outage, a limit that is hit right now, a change of routing, events that come hours
late, repeated and damaged records, models without a price, and a workspace of ten thousand callers.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from typing import Any

import orjson

from inferometer.core.bins import bin_of_us
from tests.browser.offerings import OFFERINGS, Offering

DAYS = 5
DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
MINUTE_US = 60_000_000
SPREAD_REQUESTS = 21_000
BUSY_REQUESTS = 2_200
"""In the last hour, so that pages of minutes have something to show."""
END_OF_DAY = 0.6 * 2 * math.pi - math.pi / 2
"""The fleet's days end in its afternoon whatever the clock says: the same data at any hour."""
CALLERS = 10_000
WORKSPACES = {"acme": 78, "globex": 22}
CROWD = "crowd"
"""The workspace with one request of each of its callers."""
TEAMS = ("search", "support", "growth", "platform")
TENANTS = ("northwind", "contoso", "initech", "umbrella", "hooli", "stark")
FEATURES = ("chat", "summaries", "search", "alt-texts")
ACCOUNTS = ("web-app", "mobile-app", "nightly-jobs")
REGIONS = ("eu-west", "us-east", "ap-south")
USERS = tuple(f"{name}@example.org" for name in (
    "ada", "barbara", "claude", "dorothy", "edsger", "frances", "grace", "hedy", "ivan", "jean",
    "katherine", "linus", "margaret", "niklaus", "ole", "peter", "radia", "shafi", "tim", "ursula",
))  # fmt: skip
OUTAGE_MODEL, OUTAGE_REGION, OUTAGE_NODE = "llama-3.3-70b", "eu-west", "gpu-eu-3"
LIMITED_MODEL = "gpt-4o-mini"
VIRTUAL_MODEL = "assistant"

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sent:
    """A record, and what its sender knows beside it."""

    arrival_us: int
    value: bytes
    event: Event | None = None
    """None for a damaged or repeated record, which makes no row."""
    gaps_us: tuple[int, ...] = ()
    """The exact gaps behind the event's sketch."""


@dataclass(frozen=True, slots=True)
class DataSet:
    """All that was sent."""

    start_us: int
    end_us: int
    sent: list[Sent] = field(repr=False)
    outage: tuple[int, int]
    limited_since_us: int
    rerouted_us: int
    repeated: int
    damaged: dict[str, int]
    """Dead letters by reason."""

    @property
    def events(self) -> list[Sent]:
        """Return what must be in the log, once each."""
        return [sent for sent in self.sent if sent.event is not None]


def make_data_set(end_us: int, seed: int = 7) -> DataSet:
    """Return the fleet's records of the days before an instant, equal for equal arguments."""
    return _Fleet(end_us, random.Random(seed)).run()


class _Fleet:
    def __init__(self, end_us: int, chance: random.Random) -> None:
        self._end_us, self._chance = end_us, chance
        self._start_us = end_us - DAYS * DAY_US
        self._rerouted_us = end_us - 2 * DAY_US
        outage_us = end_us - 20 * HOUR_US
        self._outage = (outage_us, outage_us + 40 * MINUTE_US)
        self._limited_us = end_us - 25 * MINUTE_US
        self._sent: list[Sent] = []
        self._number = 0

    def run(self) -> DataSet:
        for _ in range(SPREAD_REQUESTS):
            self._request(self._moment())
        for _ in range(BUSY_REQUESTS):
            self._request(self._end_us - self._chance.randrange(1, HOUR_US))
        self._crowd()
        repeated, damaged = self._repeat(), self._damage()
        self._sent.sort(key=lambda sent: sent.arrival_us)
        return DataSet(
            self._start_us, self._end_us, self._sent, self._outage, self._limited_us,
            self._rerouted_us, repeated, damaged,
        )  # fmt: skip

    def _moment(self) -> int:
        """Return an instant: busy by day, quiet at night, a little more each day."""
        while True:
            at = self._chance.randrange(self._start_us, self._end_us)
            of_day = math.sin((at - self._end_us) / DAY_US * 2 * math.pi + END_OF_DAY)
            growth = 0.8 + 0.2 * (at - self._start_us) / (DAYS * DAY_US)
            if self._chance.random() < (0.55 + 0.45 * of_day) * growth:
                return at

    def _request(self, at_us: int) -> None:
        chance = self._chance
        asked = chance.choices(OFFERINGS, [offering.weight for offering in OFFERINGS])[0]
        who = self._caller()
        offering, virtual = self._routed(asked, at_us)
        self._number += 1
        request_id = f"req-{self._number:06d}"
        region = chance.choices(REGIONS, [6, 3, 1])[0]
        attempt, is_last = 1, False
        while not is_last:
            place = {"region": region, "node_id": f"gpu-{region[:2]}-{chance.randrange(1, 5)}"}
            status, error = self._outcome(offering, place, at_us)
            is_last = status not in {429, 503} or attempt == 3 or chance.random() < 0.35
            self._attempt(
                offering,
                at_us,
                {
                    **who,
                    **place,
                    "request_id": request_id,
                    "event_id": f"{request_id}-{attempt}",
                    "attempt_no": attempt,
                    "is_retry": attempt > 1,
                    "is_final": is_last,
                    "virtual_model": virtual,
                    "status_code": status,
                    "error_type": error,
                },
            )
            attempt += 1
            at_us = min(at_us + chance.randrange(200_000, 4_000_000), self._end_us - 1)

    def _caller(self) -> Event:
        chance = self._chance
        workspace = chance.choices(list(WORKSPACES), list(WORKSPACES.values()))[0]
        index = min(int(chance.expovariate(0.18)), len(USERS) - 1)
        team = TEAMS[index % len(TEAMS)]
        others = [TEAMS[(index + 1) % len(TEAMS)]] if index % 5 == 0 else []
        return {
            "workspace_id": workspace,
            "environment": chance.choices(["production", "staging"], [9, 1])[0],
            "user_id": USERS[index],
            "team_ids": [team, *others],
            "virtual_account_id": ACCOUNTS[index % len(ACCOUNTS)],
            "feature": chance.choice(FEATURES),
            "metadata": {
                "tenant_name": chance.choices(TENANTS, [9, 6, 4, 3, 2, 1])[0],
                "plan": chance.choice(["free", "pro"]),
            },
            "source": "gateway-1",
        }

    def _routed(self, asked: Offering, at_us: int) -> tuple[Offering, str]:
        """Return the model that answers, and the alias that was asked for, if any."""
        names = {offering.model: offering for offering in OFFERINGS}
        if asked.model not in {"claude-sonnet", "llama-3.3-70b"} or self._chance.random() < 0.5:
            return asked, ""
        first = "claude-sonnet" if at_us < self._rerouted_us else "llama-3.3-70b"
        second = "llama-3.3-70b" if at_us < self._rerouted_us else "claude-sonnet"
        return names[first if self._chance.random() < 0.8 else second], VIRTUAL_MODEL

    def _outcome(self, offering: Offering, place: Event, at_us: int) -> tuple[int, str]:
        chance = self._chance
        begin, end = self._outage
        is_out = offering.model == OUTAGE_MODEL and begin <= at_us < end
        if is_out and chance.random() < (0.9 if place["region"] == OUTAGE_REGION else 0.3):
            place["node_id"] = OUTAGE_NODE
            return 503, "model_overloaded"
        is_limited = offering.model == LIMITED_MODEL and at_us >= self._limited_us
        if is_limited and chance.random() < 0.45:
            return 429, "rate_limit_exceeded"
        roll = chance.random()
        for limit, outcome in (
            (0.975, (200, "")),
            (0.983, (400, "invalid_request")),
            (0.986, (401, "authentication")),
            (0.990, (429, "rate_limit_exceeded")),
            (0.994, (499, "client_closed_request")),
            (0.998, (503, "model_overloaded")),
            (0.9995, (500, "internal_error")),
        ):
            if roll < limit:
                return outcome
        return 302, "moved"

    def _attempt(self, offering: Offering, at_us: int, facts: Event) -> None:
        chance = self._chance
        event = {
            **facts,
            "ts_end": at_us,
            "operation": offering.operation,
            "model_type": offering.model_type,
            "provider": offering.provider,
            "model": offering.model,
            "model_version": "2026-02" if at_us >= self._rerouted_us else "2026-01",
            "hosting": offering.hosting,
            "deployment_type": offering.deployment_type,
            "traffic_class": chance.choices(["realtime", "batch"], [19, 1])[0],
        }
        event = {name: value for name, value in event.items() if value not in ("", None)}
        gaps: tuple[int, ...] = ()
        if facts["status_code"] in {200, 499}:
            event |= _usage(offering, chance)
            durations, gaps = _durations(offering, event, chance)
            event |= durations
        elif facts["status_code"] == 503 and offering.images:
            event["images"] = 1  # counted, never billed: it failed
        event["ts"] = at_us - round(event.get("e2e_ms", 1) * 1000)
        late = chance.random() < 0.006 and at_us < self._end_us - 4 * HOUR_US
        delay = chance.randrange(HOUR_US, 3 * HOUR_US) if late else chance.randrange(2_000_000)
        self._sent.append(Sent(at_us + delay, orjson.dumps(event), event, gaps))

    def _crowd(self) -> None:
        begin = (self._end_us - 3 * DAY_US) // HOUR_US * HOUR_US
        for number in range(CALLERS):
            ended_us = begin + number * 350_000
            event = {
                "event_id": f"crowd-{number:05d}",
                "request_id": f"crowd-{number:05d}",
                "ts_end": ended_us,
                "workspace_id": CROWD,
                "provider": "acme-gpu",
                "model": "bge-m3",
                "model_type": "embedding",
                "user_id": f"caller-{number:05d}",
                "status_code": 200,
                "input_tokens": 100 + number % 7,
                "e2e_ms": 10.0 + number % 90,
            }
            self._sent.append(Sent(ended_us + 1_000_000, orjson.dumps(event), event))

    def _repeat(self) -> int:
        """Send some records again, soon enough for the deduplication horizon."""
        again = self._chance.sample(self._sent, 40)
        self._sent += [Sent(sent.arrival_us + 1, sent.value) for sent in again]
        return len(again)

    def _damage(self) -> dict[str, int]:
        chance = self._chance
        whole = [sent for sent in self._sent if sent.event]
        far = self._end_us + 30 * DAY_US
        for number in range(12):
            sent = chance.choice(whole)
            event = {**(sent.event or {}), "event_id": f"damaged-{number}"}
            if number < 5:
                value = sent.value[: len(sent.value) // 2]
            elif number < 9:
                value = orjson.dumps({k: v for k, v in event.items() if k != "model"})
            else:
                value = orjson.dumps({**event, "ts_end": far, "ts": None})
            self._sent.append(Sent(self._end_us - chance.randrange(DAY_US), value))
        return {"invalid_json": 5, "missing_field": 4, "event_time_in_future": 3}


def _usage(offering: Offering, chance: random.Random) -> Event:
    usage: Event = {}
    if offering.input_tokens:
        total = max(1, round(offering.input_tokens * chance.lognormvariate(0, 0.6)))
        usage |= {"input_tokens": total, "cache_read_tokens": chance.randrange(total // 2 + 1)}
        if offering.model_type == "vision_language":
            usage["image_input_tokens"] = (total - usage["cache_read_tokens"]) // 3
        if offering.model_type == "omni":
            usage["video_input_tokens"] = (total - usage["cache_read_tokens"]) // 2
    if offering.output_tokens:
        total = max(1, round(offering.output_tokens * chance.lognormvariate(0, 0.7)))
        usage["output_tokens"] = total
        if offering.is_reasoning:
            usage["reasoning_tokens"] = chance.randrange(total)
    return usage | _media(offering, chance) | _effort(offering, chance)


def _media(offering: Offering, chance: random.Random) -> Event:
    usage: Event = {}
    if offering.images:
        usage["images"] = chance.randrange(1, offering.images + 1)
    for name, typical in (
        ("video_seconds", offering.video_s),
        ("audio_in_seconds", offering.audio_in_s),
        ("audio_out_seconds", offering.audio_out_s),
    ):
        if typical:
            usage[name] = round(typical * chance.uniform(0.5, 2), 3)
    if offering.characters:
        usage["characters"] = chance.randrange(50, 2 * offering.characters)
    return usage


def _effort(offering: Offering, chance: random.Random) -> Event:
    effort: Event = {
        "cold_start": chance.random() < 0.01,
        "egress_bytes": chance.randrange(200, 90_000),
    }
    if offering.hosting == "hosted":
        effort["gpu_seconds"] = round(chance.uniform(0.1, 3), 3)
    return effort


def _durations(
    offering: Offering, event: Event, chance: random.Random
) -> tuple[Event, tuple[int, ...]]:
    """Return durations in ms, exact in microseconds, and the exact gaps of a stream."""
    outputs = event.get("output_tokens", 0)
    queue_us = round(chance.expovariate(1 / 12_000))
    first_us = queue_us + round(offering.ttft_ms * 1000 * chance.lognormvariate(0, 0.35))
    if not offering.ttft_ms:
        whole_us = queue_us + round(chance.lognormvariate(0, 0.5) * 2_400_000)
        return {"queue_ms": queue_us / 1000, "e2e_ms": whole_us / 1000}, ()
    spread_us = round(offering.tpot_ms * 1000 * chance.lognormvariate(0, 0.2) * max(outputs, 40))
    found: Event = {
        "queue_ms": queue_us / 1000,
        "ttft_ms": first_us / 1000,
        "e2e_ms": (first_us + spread_us) / 1000,
        "stream": True,
    }
    if not outputs:
        return found, ()
    gaps = tuple(
        max(1, round(spread_us / outputs * chance.lognormvariate(0, 0.4)))
        for _ in range(min(outputs - 1, 6))
    )
    if gaps:
        found["itl"] = _sketch(gaps)
    return found, gaps


def _sketch(gaps_us: tuple[int, ...]) -> Event:
    bins: dict[int, int] = {}
    for gap in gaps_us:
        bins[bin_of_us(gap)] = bins.get(bin_of_us(gap), 0) + 1
    return {
        "count": len(gaps_us),
        "sum_ms": sum(gaps_us) / 1000,
        "max_ms": max(gaps_us) / 1000,
        "bins": [number for item in sorted(bins.items()) for number in item],
    }
