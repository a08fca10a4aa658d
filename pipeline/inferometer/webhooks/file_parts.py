"""The receivers file as its author writes it: the one authority on its keys, types and schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    WithJsonSchema,
    model_validator,
)

from inferometer.core.alerts.matcher_texts import parse_matcher
from inferometer.core.alerts.matchers import Matcher
from inferometer.core.alerts.receivers import Format
from inferometer.core.slo.spans import parse_span_s
from inferometer.webhooks.addresses import networks_of
from inferometer.webhooks.texts import template_problem

NAME_PATTERN = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"
SPAN_PATTERN = r"^\s*(\d+(\.\d+)?\s*(s|m|h|d|w)\s*)+$"


def _span_s(value: object) -> object:
    if isinstance(value, str):
        return parse_span_s(value)
    raise ValueError(f"{value!r} is no span of time; write it with its unit, such as 5m or 4h")


def _matcher(value: object) -> object:
    if isinstance(value, str):
        return parse_matcher(value)
    raise ValueError('is no matcher; write a text such as severity="page"')


def _network(value: object) -> object:
    networks_of([str(value)])
    return str(value)


def _template(value: object) -> object:
    if isinstance(value, str) and (problem := template_problem(value)):
        raise ValueError(f"is no Jinja template: {problem}")
    return value


Span = Annotated[
    int,
    BeforeValidator(_span_s),
    WithJsonSchema({"type": "string", "pattern": SPAN_PATTERN, "examples": ["30s", "5m", "4h"]}),
]
MatcherText = Annotated[
    Matcher,
    BeforeValidator(_matcher),
    WithJsonSchema({"type": "string", "examples": ['severity="page"', 'model=~"gpt.*"']}),
]
Network = Annotated[str, BeforeValidator(_network)]
Template = Annotated[str, BeforeValidator(_template)]
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Port = Annotated[StrictInt, Field(ge=1, le=65_535)]


class Part(BaseModel):
    """What all parts share."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Reference(Part):
    """Where a secret is kept: exactly one of the two."""

    env: str = Field(default="", description="Name of an environment variable.")
    file: str = Field(default="", description="Path of a file that holds nothing else.")

    @model_validator(mode="after")
    def _one(self) -> Reference:
        if bool(self.env) == bool(self.file):
            raise ValueError("names env or file, and not both")
        return self


class AllowPart(Part):
    """What the guard lets this receiver do."""

    http: StrictBool = Field(default=False, description="Plain http besides https.")
    ports: tuple[Port, ...] = Field(default=(), description="Besides 443, and 80 with http.")
    networks: tuple[Network, ...] = Field(
        default=(), description="Private networks that it may be in, in CIDR notation."
    )


class ReceiverPart(Part):
    """One endpoint."""

    name: Name
    format: Format = Format.STANDARD
    url: str | Reference | None = Field(default=None, description="https://...")
    secrets: tuple[Reference, ...] = Field(
        default=(), max_length=2, description="whsec_ keys; two while one replaces the other."
    )
    routing_key: Reference | None = Field(default=None, description="PagerDuty's.")
    headers: dict[str, str | Reference] = Field(default_factory=dict)
    allow: AllowPart = AllowPart()
    ca_file: str = Field(default="", description="Certificates to trust instead of the system's.")
    fallback: str = Field(default="", description="Receiver that is told if this one fails.")
    send_resolved: StrictBool = True
    send_unseen_resolved: StrictBool = False
    resolve_delay: Span = Field(default=0, description="For receivers where a resolve is final.")
    heartbeat: Span | None = Field(default=None, description="How often to say: alive.")
    handshake: StrictBool = Field(
        default=False, description="CloudEvents: ask first whether events are welcome (OPTIONS)."
    )
    max_per_minute: Annotated[StrictInt, Field(ge=1)] | None = None
    max_alerts: Annotated[StrictInt, Field(ge=0)] = 0
    title: Template = ""
    text: Template = ""
    external_url: str = Field(
        default="",
        pattern=r"^(https?://\S+)?$",
        description="Where people find the alerts of this installation.",
    )


class RoutePart(Part):
    """A branch of the tree of routes, in Alertmanager's words."""

    receiver: str = ""
    matchers: tuple[MatcherText, ...] = ()
    group_by: tuple[str, ...] | None = Field(
        default=None,
        description="Default workspace, service, slo; an alertmanager_api groups by itself: ['...'].",
    )
    group_wait: Span | None = None
    group_interval: Span | None = None
    repeat_interval: Span | None = None
    continue_: StrictBool = Field(default=False, alias="continue")
    mute_time_intervals: tuple[str, ...] = ()
    active_time_intervals: tuple[str, ...] = ()
    routes: tuple[RoutePart, ...] = ()


class IntervalsPart(Part):
    """Times that routes refer to, in Alertmanager's words."""

    name: Name
    time_intervals: tuple[dict[str, Any], ...]


class ReceiversPart(Part):
    """The whole file."""

    format: Literal["inferometer.receivers.v1"] = "inferometer.receivers.v1"
    receivers: tuple[dict[str, Any], ...] = Field(min_length=1)
    """Each is checked by itself, so that one with a problem costs no other."""
    route: RoutePart
    time_intervals: tuple[IntervalsPart, ...] = ()
