"""Silences, maintenance windows and accepted levels as JSON: Alertmanager's names for requests, answers and records.

Invariants: what was written is read back equal; whatever comes in gives a value or a list of every
problem, never another error.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson

from inferometer.core.alerts.acceptances import Acceptance
from inferometer.core.alerts.instant_texts import LATEST_US, instant_text, instant_us
from inferometer.core.alerts.interval_texts import interval_from, interval_to
from inferometer.core.alerts.maintenance import FOREVER_US, LONGEST_DEPLOY_S, Effect, Maintenance
from inferometer.core.alerts.matchers import Matcher
from inferometer.core.alerts.silences import MuteRefusedError, Silence, matcher_problems
from inferometer.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inferometer.core.alerts.mute_book import Entry
    from inferometer.core.alerts.time_intervals import TimeInterval

SCHEMA = "1"
MAX_ANNOTATIONS = 32
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_US_PER_S = 1_000_000


class _Fields:
    """One JSON object, read field by field; problems add up."""

    def __init__(self, raw: object) -> None:
        self.problems: list[str] = []
        self.raw: Mapping[str, Any] = raw if isinstance(raw, dict) else {}
        if not isinstance(raw, dict):
            self.problems.append("must be a JSON object")

    def text(self, name: str, default: str = "") -> str:
        value = self.raw.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            self.problems.append(f"{name} must be a text")
            return default
        return value

    def instant(self, name: str, default: int | None) -> int:
        value = self.raw.get(name)
        if value is None and default is not None:
            return default
        try:
            return instant_us(value)
        except ValueError as error:
            self.problems.append(f"{name}: {error}")
            return 0

    def matchers(self) -> tuple[Matcher, ...]:
        value = self.raw.get("matchers")
        if not isinstance(value, list):
            self.problems.append("matchers must be a list")
            return ()
        return tuple(filter(None, (self._matcher(item) for item in value)))

    def _matcher(self, item: object) -> Matcher | None:
        found = _Fields(item)
        name, value = found.text("name"), found.text("value")
        is_regex, is_equal = found.flag("isRegex", False), found.flag("isEqual", True)
        self.problems += [f"matchers: {problem}" for problem in found.problems]
        return None if found.problems else Matcher(name, value, is_regex, is_equal)

    def flag(self, name: str, default: bool) -> bool:
        value = self.raw.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.problems.append(f"{name} must be true or false")
            return default
        return value

    def annotations(self) -> dict[str, str]:
        value = self.raw.get("annotations") or {}
        if (
            not isinstance(value, dict)
            or len(value) > MAX_ANNOTATIONS
            or not all(isinstance(text, str) for text in value.values())
        ):
            self.problems.append(
                f"annotations must be an object of {MAX_ANNOTATIONS} texts at most"
            )
            return {}
        return dict(value)

    def intervals(self) -> tuple[TimeInterval, ...]:
        value = self.raw.get("time_intervals") or []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.problems.append("time_intervals must be a list of objects")
            return ()
        found = []
        for item in value:
            interval, problems = interval_from(item)
            found.append(interval)
            self.problems += [f"time_intervals: {problem}" for problem in problems]
        return tuple(found)

    def effect(self) -> Effect:
        name = self.text("effect", Effect.MUTE)
        if name not in set(Effect):
            self.problems.append(f"effect is {name!r}, must be one of {', '.join(Effect)}")
            return Effect.MUTE
        return Effect(name)

    def ttl_s(self) -> int | None:
        if self.raw.get("ttl") is None:
            return None
        text = str(self.raw["ttl"])
        found = _DURATION.fullmatch(f"{text}s" if text.isascii() and text.isdigit() else text)
        hours, minutes, seconds = (
            (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
        )
        ttl_s = hours * 3600 + minutes * 60 + seconds
        if not 0 < ttl_s <= LONGEST_DEPLOY_S:
            self.problems.append(f"ttl is {text!r}, must be from 1s to 2h, such as 30m")
        return ttl_s

    def check(self) -> None:
        if self.problems:
            raise MuteRefusedError(self.problems)


def silence_from(raw: object, *, now_us: int) -> Silence:
    """Read a silence of a request; its id may be empty. Raises MuteRefusedError."""
    fields = _Fields(raw)
    silence = Silence(
        id=fields.text("id"),
        matchers=fields.matchers(),
        starts_at_us=fields.instant("startsAt", now_us),
        ends_at_us=fields.instant("endsAt", None),
        updated_at_us=fields.instant("updatedAt", now_us),
        created_by=fields.text("createdBy"),
        comment=fields.text("comment"),
        annotations=fields.annotations(),
    )
    fields.check()
    return silence


def silence_to(silence: Silence) -> dict[str, Any]:
    """Return a silence with Alertmanager's names, without its state."""
    said: dict[str, Any] = {
        "id": silence.id,
        "matchers": _matchers_to(silence.matchers),
        "startsAt": instant_text(silence.starts_at_us),
        "endsAt": instant_text(silence.ends_at_us),
        "updatedAt": instant_text(silence.updated_at_us),
        "createdBy": silence.created_by,
        "comment": silence.comment,
    }
    return {**said, "annotations": dict(silence.annotations)} if silence.annotations else said


def silence_answer(silence: Silence, now_us: int) -> dict[str, Any]:
    """Return a silence as Alertmanager answers: with its state."""
    return {**silence_to(silence), "status": {"state": str(silence.state(now_us))}}


def maintenance_from(raw: object, *, now_us: int, new_id: str) -> Maintenance:
    """Read a maintenance window of a request. Raises MuteRefusedError.

    With `ttl` (`30m`, 2 h at most) it is what a deploy hook sends: on from now until then.
    """
    fields = _Fields(raw)
    ttl_s, intervals = fields.ttl_s(), fields.intervals()
    starts = fields.instant("startsAt", now_us)
    if ttl_s is not None:
        if intervals or "endsAt" in fields.raw:
            fields.problems.append("ttl excludes endsAt and time_intervals; keep one of them")
        ends = starts + ttl_s * _US_PER_S
        if starts > now_us + LONGEST_DEPLOY_S * _US_PER_S:
            fields.problems.append("startsAt with a ttl may be 2h ahead at most; give endsAt")
    else:
        ends = fields.instant("endsAt", FOREVER_US)
    window = Maintenance(
        id=fields.text("id") or new_id,
        matchers=fields.matchers(),
        effect=fields.effect(),
        reason=fields.text("reason") or fields.text("comment"),
        created_by=fields.text("createdBy"),
        updated_at_us=fields.instant("updatedAt", now_us),
        starts_at_us=starts,
        ends_at_us=FOREVER_US if ends >= LATEST_US else ends,
        intervals=intervals,
    )
    fields.check()
    return window


def maintenance_to(window: Maintenance) -> dict[str, Any]:
    """Return a maintenance window as JSON, without its state."""
    said: dict[str, Any] = {
        "id": window.id,
        "matchers": _matchers_to(window.matchers),
        "effect": str(window.effect),
        "reason": window.reason,
        "createdBy": window.created_by,
        "updatedAt": instant_text(window.updated_at_us),
        "startsAt": instant_text(window.starts_at_us),
    }
    if window.ends_at_us < FOREVER_US:
        said["endsAt"] = instant_text(window.ends_at_us)
    if window.intervals:
        said["time_intervals"] = [interval_to(each) for each in window.intervals]
    return said


def maintenance_answer(window: Maintenance, now_us: int) -> dict[str, Any]:
    """Return a maintenance window with its state: active, pending or expired."""
    state = "pending"
    if window.is_active(now_us):
        state = "active"
    elif window.ends_at_us <= now_us:
        state = "expired"
    return {**maintenance_to(window), "status": {"state": state}}


def acceptance_from(raw: object, *, now_us: int, new_id: str) -> Acceptance:
    """Read an accepted level of a request. Raises MuteRefusedError."""
    fields = _Fields(raw)
    acceptance = Acceptance(
        id=fields.text("id") or new_id,
        matchers=fields.matchers(),
        since_us=None if fields.raw.get("since") is None else fields.instant("since", None),
        updated_at_us=fields.instant("updatedAt", now_us),
        created_by=fields.text("createdBy"),
        comment=fields.text("comment"),
    )
    fields.check()
    return acceptance


def acceptance_to(acceptance: Acceptance) -> dict[str, Any]:
    """Return an accepted level as JSON."""
    said: dict[str, Any] = {
        "id": acceptance.id,
        "matchers": _matchers_to(acceptance.matchers),
        "updatedAt": instant_text(acceptance.updated_at_us),
        "createdBy": acceptance.created_by,
        "comment": acceptance.comment,
    }
    if acceptance.since_us is not None:
        said["since"] = instant_text(acceptance.since_us)
    return said


def encode_entry(entry: Entry) -> bytes:
    """Return an entry as the value of a record."""
    return orjson.dumps({"schema": SCHEMA, **_said(entry)})


def _said(entry: Entry) -> dict[str, Any]:
    match entry:
        case Silence():
            return {"kind": "silence", **silence_to(entry)}
        case Maintenance():
            return {"kind": "maintenance", **maintenance_to(entry)}
        case Acceptance():
            return {"kind": "acceptance", **acceptance_to(entry)}


def decode_entry(value: bytes) -> Entry:
    """Read the value of a record. Raises StateError."""
    try:
        raw = orjson.loads(value)
        kind, schema = raw.get("kind"), raw.get("schema")
    except (orjson.JSONDecodeError, AttributeError) as error:
        raise StateError("a record of silences is no JSON object") from error
    if schema != SCHEMA:
        raise StateError(
            f"a record of silences has schema {schema!r}, this version reads {SCHEMA!r}; run the "
            "version that wrote it, or a newer one"
        )
    try:
        if kind == "silence":
            return _checked(silence_from(raw, now_us=0))
        if kind == "maintenance":
            return _checked(maintenance_from(raw, now_us=0, new_id=""))
        if kind == "acceptance":
            return _checked(acceptance_from(raw, now_us=0, new_id=""))
    except MuteRefusedError as error:
        raise StateError(f"a record of silences cannot be read: {error}") from error
    raise StateError(
        f"a record of silences is of kind {kind!r}, must be silence, maintenance or acceptance"
    )


def _checked(entry: Entry) -> Entry:
    """Return an entry that can be asked; a pattern that does not compile would stop all notices."""
    if problems := matcher_problems(entry.matchers):
        raise MuteRefusedError(problems)
    return entry


def _matchers_to(matchers: tuple[Matcher, ...]) -> list[dict[str, Any]]:
    return [
        {
            "name": each.name,
            "value": each.value,
            "isRegex": each.is_regex,
            "isEqual": each.is_equal,
        }
        for each in matchers
    ]
