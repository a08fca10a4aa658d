"""Reads the receivers file: receivers, routes and the times that routes refer to."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError
from pydantic.json_schema import GenerateJsonSchema

from inferometer.core.alerts.inhibition import SHIPPED_INHIBITIONS, InhibitRule
from inferometer.core.alerts.interval_texts import interval_from
from inferometer.core.alerts.policy import AlertPolicy
from inferometer.core.alerts.receivers import (
    PAGERDUTY_URL,
    Format,
    Permissions,
    Receiver,
    fallback_problems,
)
from inferometer.core.alerts.routing import EVERY_LABEL, ReceiverTraits, Route
from inferometer.core.alerts.time_intervals import IntervalBook
from inferometer.core.secret import Secret
from inferometer.webhooks.file_parts import (
    IntervalsPart,
    ReceiverPart,
    ReceiversPart,
    Reference,
    RoutePart,
)
from inferometer.webhooks.messages import WITHOUT_HEARTBEAT
from inferometer.webhooks.policy_parts import inhibitions_of
from inferometer.webhooks.signatures import key_of
from inferometer.webhooks.targets import ForbiddenTargetError, target_of
from inferometer.webhooks.yaml_lines import LinedDocument, read_lined

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic_core import ErrorDetails

    Place = tuple[str | int, ...]

Model = TypeVar("Model", bound=BaseModel)
ROUTING_KEY_LENGTH = 32
CLOUDEVENTS = frozenset({Format.CLOUDEVENTS, Format.CLOUDEVENTS_BINARY})
API_PATH = "/api/v2/alerts"
SCHEMA_FILE = "config/receivers.schema.json"
"""Under `schemas/`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiversFile:
    """What a receivers file says; where it has problems, what of it is sound."""

    receivers: Mapping[str, Receiver] = field(default_factory=dict)
    route: Route = field(default_factory=Route)
    intervals: IntervalBook = field(default_factory=lambda: IntervalBook({}))
    inhibitions: tuple[InhibitRule, ...] = SHIPPED_INHIBITIONS
    policy: AlertPolicy = field(default_factory=AlertPolicy)
    problems: tuple[str, ...] = ()
    """Each as `file:line: what, and what to do`."""

    def traits(self) -> dict[str, ReceiverTraits]:
        """Return what planning must know of the receivers."""
        return {
            name: ReceiverTraits(resolve_delay_s=receiver.resolve_delay_s)
            for name, receiver in self.receivers.items()
        }


def load_receivers_file(path: Path, *, environ: Mapping[str, str]) -> ReceiversFile:
    """Read a receivers file and the secrets that it refers to; never raises for its content."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        return ReceiversFile(problems=(f"{path}:1: cannot be read ({why}); check the path",))
    return _Reading(str(path), read_lined(text), environ).result()


def receivers_schema() -> dict[str, Any]:
    """Return the JSON Schema of the file."""
    schema = ReceiversPart.model_json_schema(by_alias=True)
    inner = ReceiverPart.model_json_schema(by_alias=True)
    schema["properties"]["receivers"]["items"] = {"$ref": "#/$defs/ReceiverPart"}
    definitions = {**schema.pop("$defs"), **inner.pop("$defs"), "ReceiverPart": inner}
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        **schema,
        "title": "Receivers of alerts",
        "$defs": dict(sorted(definitions.items())),
    }


class _Reading:
    """Collects values and problems of one file."""

    def __init__(self, name: str, document: LinedDocument, environ: Mapping[str, str]) -> None:
        self._name = name
        self._document = document
        self._environ = environ
        self._problems = list(document.problems)
        self._ungrouped: set[str] = set()
        """Receivers that group by themselves, and so must hear of each incident apart."""

    def result(self) -> ReceiversFile:
        whole = self._checked(ReceiversPart, self._document.value, ())
        if whole is None:
            return ReceiversFile(problems=self._texts())
        receivers: dict[str, Receiver] = {}
        for at, raw in enumerate(whole.receivers):
            part = self._checked(ReceiverPart, raw, ("receivers", at))
            if part is None:
                continue
            if part.name in receivers:
                self._note(("receivers", at), f"receiver {part.name} stands twice; rename one")
            else:
                receivers[part.name] = self._receiver(part, ("receivers", at))
        self._note_all(("receivers",), fallback_problems(receivers.values()))
        names = {str(raw.get("name")) for raw in whole.receivers}
        if not whole.route.receiver:
            self._note(("route",), "the first route needs a receiver: it takes what no other does")
        intervals = dict(self._intervals(whole.time_intervals))
        return ReceiversFile(
            receivers=receivers,
            route=self._route(whole.route, ("route",), names, intervals),
            intervals=IntervalBook(intervals),
            inhibitions=inhibitions_of(
                whole.inhibit_rules, keeps_shipped=whole.shipped_inhibit_rules
            ),
            policy=whole.policy.policy(),
            problems=self._texts(),
        )

    def _receiver(self, part: ReceiverPart, at: Place) -> Receiver:
        receiver = Receiver(
            name=part.name,
            format=part.format,
            url=self._secret(part.url or self._usual_url(part), (*at, "url")),
            signing_secrets=tuple(
                self._secret(one, (*at, "secrets", index)) for index, one in enumerate(part.secrets)
            ),
            routing_key=self._secret(part.routing_key or "", (*at, "routing_key")),
            headers={
                name: self._secret(value, (*at, "headers", name))
                for name, value in part.headers.items()
            },
            permissions=Permissions(
                http=part.allow.http,
                ports=frozenset(part.allow.ports),
                networks=part.allow.networks,
            ),
            ca_file=part.ca_file,
            fallback=part.fallback,
            sends_resolved=part.send_resolved,
            sends_unseen_resolved=part.send_unseen_resolved,
            resolve_delay_s=part.resolve_delay,
            heartbeat_s=part.heartbeat,
            handshake=part.handshake,
            max_per_minute=part.max_per_minute,
            max_alerts=part.max_alerts,
            title=part.title,
            text=part.text,
            external_url=part.external_url,
        )
        self._judge(receiver, at)
        if receiver.format is Format.ALERTMANAGER_API:
            self._ungrouped.add(receiver.name)
        return receiver

    def _usual_url(self, part: ReceiverPart) -> str:
        return PAGERDUTY_URL if part.format is Format.PAGERDUTY_V2 else ""

    def _judge(self, receiver: Receiver, at: Place) -> None:
        """Note what cannot work, without any address or key in the text."""
        try:
            target_of(receiver.url.reveal(), receiver.permissions)
        except ForbiddenTargetError as error:
            self._note((*at, "url"), f"receiver {receiver.name}: url is not allowed: {error}")
        for index, secret in enumerate(receiver.signing_secrets):
            try:
                key_of(secret)
            except ValueError as error:
                self._note((*at, "secrets", index), f"receiver {receiver.name}: secret {error}")
        if receiver.ca_file and not Path(receiver.ca_file).is_file():
            self._note(
                (*at, "ca_file"),
                f"receiver {receiver.name}: {receiver.ca_file} is no file; "
                "ca_file holds certificates to trust, in PEM",
            )
        for problem in _format_problems(receiver):
            self._note(at, f"receiver {receiver.name}: {problem}")

    def _route(
        self, part: RoutePart, at: Place, receivers: set[str], intervals: Mapping[str, object]
    ) -> Route:
        if part.receiver and part.receiver not in receivers:
            meant = _meant(part.receiver, receivers)
            self._note((*at, "receiver"), f"{part.receiver} is no receiver; {meant}")
        group_by = part.group_by
        if group_by is None and part.receiver in self._ungrouped:
            group_by = (EVERY_LABEL,)
        for name in (*part.mute_time_intervals, *part.active_time_intervals):
            if name not in intervals:
                self._note(at, f"{name} is no time interval; {_meant(name, intervals)}")
        return Route(
            receiver=part.receiver,
            matchers=part.matchers,
            group_by=group_by,
            group_wait_s=part.group_wait,
            group_interval_s=part.group_interval,
            repeat_interval_s=part.repeat_interval,
            keep_going=part.continue_,
            mute_times=part.mute_time_intervals,
            active_times=part.active_time_intervals,
            routes=tuple(
                self._route(one, (*at, "routes", index), receivers, intervals)
                for index, one in enumerate(part.routes)
            ),
        )

    def _intervals(self, parts: tuple[IntervalsPart, ...]) -> Iterator[tuple[str, Any]]:
        for at, part in enumerate(parts):
            found = []
            for index, raw in enumerate(part.time_intervals):
                interval, problems = interval_from(raw)
                place = ("time_intervals", at, "time_intervals", index)
                self._note_all(place, [f"{part.name}: {problem}" for problem in problems])
                found.append(interval)
            yield part.name, tuple(found)

    def _secret(self, value: str | Reference, at: Place) -> Secret:
        if isinstance(value, str):
            return Secret(value)
        if value.env:
            if not self._environ.get(value.env):
                self._note(at, f"the variable {value.env} is not set; set it to the secret")
            return Secret(self._environ.get(value.env, ""))
        try:
            text = Path(value.file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
            self._note(at, f"{value.file} cannot be read ({why}); it should hold the secret")
            return Secret("")
        if not text:
            self._note(at, f"{value.file} is empty; it should hold the secret")
        return Secret(text)

    def _checked(self, model: type[Model], value: object, at: Place) -> Model | None:
        try:
            return model.model_validate(value)
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_input=False):
                self._note((*at, *detail["loc"]), _problem_text(detail, model))
        return None

    def _note(self, at: Place, text: str) -> None:
        self._problems.append((self._document.line(at), text))

    def _note_all(self, at: Place, texts: list[str]) -> None:
        for text in texts:
            self._note(at, text)

    def _texts(self) -> tuple[str, ...]:
        return tuple(f"{self._name}:{line}: {text}" for line, text in sorted(self._problems))


def _format_problems(receiver: Receiver) -> Iterator[str]:
    if receiver.format is Format.STANDARD and not receiver.signing_secrets:
        yield "the standard format is signed; give it `secrets`"
    if receiver.format is Format.PAGERDUTY_V2:
        if len(receiver.routing_key.reveal()) != ROUTING_KEY_LENGTH:
            yield f"routing_key must have {ROUTING_KEY_LENGTH} characters; see PagerDuty's service"
    elif receiver.routing_key:
        yield f"routing_key is for {Format.PAGERDUTY_V2}; remove it, or change the format"
    if receiver.format is Format.ALERTMANAGER_API and not _path(receiver).endswith(API_PATH):
        yield f"the url of an {Format.ALERTMANAGER_API} ends in {API_PATH}; add it"
    if receiver.handshake and receiver.format not in CLOUDEVENTS:
        yield f"handshake is for {' and '.join(sorted(CLOUDEVENTS))}; remove it"
    if receiver.heartbeat_s is not None:
        if receiver.format in WITHOUT_HEARTBEAT:
            yield f"{receiver.format} has no heartbeat; use another receiver for it"
        elif receiver.heartbeat_s < 1:
            yield "heartbeat must be 1s or more"


def _path(receiver: Receiver) -> str:
    return urlsplit(receiver.url.reveal()).path.rstrip("/")


def _problem_text(detail: ErrorDetails, model: type[BaseModel]) -> str:
    """Say one problem; values stay out of it, since they may be secrets."""
    key = ".".join(map(str, detail["loc"])) or "the file"
    if detail["type"] == "extra_forbidden":
        known = _known_keys(model, detail["loc"][:-1])
        return f"unknown key {key}; {_meant(str(detail['loc'][-1]), known)}"
    if detail["type"] == "missing":
        return f"{key} is missing; add it"
    if detail["type"] in {"model_type", "dict_type", "model_attributes_type"}:
        return f"{key}: write a mapping here: keys with values, indented"
    message = detail["msg"].removeprefix("Value error, ")
    return f"{key}: {message[:1].lower()}{message[1:]}"


def _known_keys(model: type[BaseModel], place: tuple[str | int, ...]) -> set[str]:
    """Return the keys of the part at a place in the model."""
    fields = {info.alias or name: info for name, info in model.model_fields.items()}
    below = [step for step in place if isinstance(step, str)]
    if below and below[0] in fields:
        for inner in _models_in(fields[below[0]].annotation):
            return _known_keys(inner, tuple(below[1:]))
    return set(fields)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _models_in(argument)


def _meant(name: str, known: Mapping[str, object] | set[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(known))}"
