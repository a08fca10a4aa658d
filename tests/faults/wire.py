"""Bytes of the harness's events: record values, keys and typed fields; and poison of every kind."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from tests.faults.traffic import (
    ACCOUNTS,
    ERRORS,
    MODELS,
    PROVIDERS,
    REGIONS,
    STATUSES,
    TEAMS,
    WORKSPACES,
    Columns,
    GapSketch,
    gap_sketches,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

ID_CHARS = 20
"""Every event id has this length: `e`, producer, `-`, running number, padded."""
POISON_KEY = b"poison-"

_STATIC = b'"source":"faults","operation":"chat","feature":"chat","node_id":"node-%02d",'
_WIDE = (
    b'"trace_id":"%032x","span_id":"%016x","session_id":"session-%06d","virtual_model":"%s",'
    b'"deployment_type":"serverless","environment":"prod","traffic_class":"realtime",'
    b'"metadata":{"app":"app-%d","tier":"gold","cell":"c-%03d"},"stream":true,'
    b'"finish_reason":"stop","cache_write_5m_tokens":%d,"characters":%d,"gpu_seconds":%d.%06d,'
    b'"egress_bytes":%d,"cold_start":%s,"cache_hit":%s,"gpu_type":"H100-SXM","gpu_count":8,'
    b'"batch_size_at_start":%d,"prefix_cache_tokens":%d,"pod_id":"pod-%04d","itl":%s,'
)
_TRUTH = (b"false", b"true")


def event_id(producer: int, number: int) -> str:
    """Return the id of an event; equal however often it is sent."""
    return f"e{producer:02d}-{number:016d}"


@dataclass(frozen=True, slots=True)
class Sendable:
    """One event, ready to be sent either way."""

    key: bytes
    value: bytes


class Writer:
    """Turns blocks of columns into record values."""

    def __init__(self) -> None:
        self._gaps = [_gaps(sketch) for sketch in gap_sketches()]
        self._models = [model.encode() for model in MODELS]

    def records(self, columns: Columns) -> Iterator[Sendable]:
        """Yield the record of each event."""
        names = [f.name for f in fields(columns)]
        arrays = [getattr(columns, name).tolist() for name in names]
        for row in zip(*arrays, strict=True):
            yield self._record(dict(zip(names, row, strict=True)))

    def _record(self, e: dict[str, int]) -> Sendable:
        ident = event_id(e["producer"], e["number"]).encode()
        user, model = e["user"], e["model"]
        parts = [
            b'{"event_id":"%s","request_id":"r%s","ts_end":%d,"workspace_id":"%s","provider":"%s",'
            b'"model":"%s","region":"%s","user_id":"user-%04d","team_ids":["team-%02d","all"],'
            b'"virtual_account_id":"va-%d","status_code":%d,"input_tokens":%d,"output_tokens":%d,'
            b'"cache_read_tokens":%d,"reasoning_tokens":%d,'
            % (
                ident, ident, e["ts_end"], WORKSPACES[user % len(WORKSPACES)].encode(),
                PROVIDERS[model].encode(), self._models[model], REGIONS[e["region"]].encode(),
                user, user % TEAMS, user % ACCOUNTS, STATUSES[e["status"]], e["input_tokens"],
                e["output_tokens"], e["cache_read"], e["reasoning"],
            ),
            _STATIC % (user % 64),
        ]  # fmt: skip
        if ERRORS[e["status"]]:
            parts.append(b'"error_type":"%s",' % ERRORS[e["status"]].encode())
        if not e["is_final"]:
            parts.append(b'"is_final":false,"attempt_no":1,')
        if e["images"]:
            parts.append(b'"images":%d,' % e["images"])
        for name, value in (("queue", e["queue_us"]), ("ttft", e["ttft_us"]), ("e2e", e["e2e_us"])):
            if value >= 0:
                parts.append(b'"%s_ms":%d.%03d,' % (name.encode(), *divmod(value, 1000)))
        if e["is_wide"]:
            parts.append(self._wide(e))
        return Sendable(b"r" + ident, b"".join(parts)[:-1] + b"}")

    def _wide(self, e: dict[str, int]) -> bytes:
        number, user = e["number"], e["user"]
        return _WIDE % (
            number * 0x9E3779B97F4A7C15 % (1 << 128), number * 0x9E3779B97F4A7C15 % (1 << 64),
            number % 999_983, b"virtual-" + self._models[e["model"]], user % 7, number % 512,
            e["cache_write"], e["characters"], *divmod(e["gpu_us"], 1_000_000), e["egress_bytes"],
            _TRUTH[e["cold_start"]], _TRUTH[e["cache_hit"]], 1 + number % 48, e["cache_read"] // 2,
            user, self._gaps[e["gaps"]],
        )  # fmt: skip


def _gaps(sketch: GapSketch) -> bytes:
    flat = [number for pair in sketch.bins for number in pair]
    return json.dumps(
        {
            "count": sketch.count,
            "sum_ms": sketch.sum_us / 1000,
            "max_ms": sketch.max_us / 1000,
            "bins": flat,
        },
        separators=(",", ":"),
    ).encode()


@dataclass(frozen=True, slots=True)
class Poison:
    """A record that the door must refuse."""

    key: bytes
    value: bytes
    content_type: str
    kind: str


_HOUR_US = 3_600_000_000
_GOOD: dict[str, Any] = {
    "model": "alpha-8b", "provider": "acme", "status_code": 200, "input_tokens": 10,
    "output_tokens": 5,
}  # fmt: skip
POISON_KINDS = (
    "invalid_json", "not_an_object", "not_finite", "missing_field", "wrong_type", "out_of_range",
    "status_class_mismatch", "token_sum_mismatch", "ttft_exceeds_e2e", "event_time_too_old",
    "event_time_in_future", "empty_record", "unknown_content_type", "not_utf8",
)  # fmt: skip


def poison(producer: int, number: int, draw: int, now_us: int) -> Poison:
    """Return a poisonous record, unlike any other but where it is empty."""
    kind = POISON_KINDS[draw % len(POISON_KINDS)]
    ident = f"p{producer:02d}-{number:016d}"
    event = {"event_id": ident, "request_id": ident, "ts_end": now_us, **_GOOD}
    content_type = "application/json"
    changes: dict[str, dict[str, Any]] = {
        "wrong_type": {"input_tokens": "many"},
        "out_of_range": {"output_tokens": -4},
        "status_class_mismatch": {"status_class": "5xx"},
        "token_sum_mismatch": {"cache_read_tokens": 11},
        "ttft_exceeds_e2e": {"ttft_ms": 20.5, "e2e_ms": 20.4},
        "event_time_too_old": {"ts_end": now_us - 24 * 60 * _HOUR_US},
        "event_time_in_future": {"ts_end": now_us + 2 * _HOUR_US},
    }
    event.update(changes.get(kind, {}))
    value = json.dumps(event).encode()
    match kind:
        case "invalid_json":
            value = value[:-1]
        case "not_an_object":
            value = b"[" + value + b"]"
        case "not_finite":
            value = value[:-1] + b', "e2e_ms": NaN}'
        case "missing_field":
            del event["model"]
            value = json.dumps(event).encode()
        case "empty_record":
            value = b""
        case "unknown_content_type":
            content_type = "text/csv"
        case "not_utf8":
            value = value.replace(b"acme", b"ac\xff\xfe")
        case _:
            pass
    return Poison(POISON_KEY + ident.encode(), value, content_type, kind)
