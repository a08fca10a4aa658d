"""The receivers file as its author writes it: the one authority on its keys, types and schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool, StrictInt, model_validator

from inferometer.core.alerts.receivers import Format
from inferometer.webhooks.addresses import networks_of
from inferometer.webhooks.policy_parts import InhibitPart, PolicyPart
from inferometer.webhooks.span_parts import MatcherText, Part, Span
from inferometer.webhooks.texts import template_problem

NAME_PATTERN = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"


def _network(value: object) -> object:
    networks_of([str(value)])
    return str(value)


def _template(value: object) -> object:
    if isinstance(value, str) and (problem := template_problem(value)):
        raise ValueError(f"is no Jinja template: {problem}")
    return value


Network = Annotated[str, BeforeValidator(_network)]
Template = Annotated[str, BeforeValidator(_template)]
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Port = Annotated[StrictInt, Field(ge=1, le=65_535)]


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
    inhibit_rules: tuple[InhibitPart, ...] = Field(
        default=(), description="Which alerts keep which others quiet, besides the shipped rules."
    )
    shipped_inhibit_rules: StrictBool = Field(
        default=True,
        description="A page mutes tickets of its service, a provider its models, a broken pipeline "
        "absence.",
    )
    policy: PolicyPart = PolicyPart()
