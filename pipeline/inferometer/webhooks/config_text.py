"""The routes, receivers and rules that are in force, as Alertmanager writes them; without secrets.

Invariant: Alertmanager's own tools read it (`amtool config show`, `amtool config routes test`), so
what only we have stands in comments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from inferometer.core.alerts.interval_texts import interval_to
from inferometer.core.alerts.routing import DEFAULT_GROUP_BY
from inferometer.core.slo.spans import span_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inferometer.core.alerts.inhibition import InhibitRule
    from inferometer.core.alerts.policy import AlertPolicy
    from inferometer.core.alerts.receivers import Receiver
    from inferometer.core.alerts.routing import Route
    from inferometer.webhooks.receivers_file import ReceiversFile

NOBODY = "nobody"
"""Alertmanager's tools want a receiver; where none is configured, this stands for it."""


def config_text(file: ReceiversFile) -> str:
    """Return what is in force as YAML; addresses count as secrets."""
    names = sorted(file.receivers) or [NOBODY]
    route = _route(file.route)
    said: dict[str, Any] = {
        "route": {
            **route,
            "receiver": file.route.receiver or NOBODY,
            "group_by": route.get("group_by", list(DEFAULT_GROUP_BY)),
        },
        "inhibit_rules": [_inhibition(rule) for rule in file.inhibitions],
        "receivers": [{"name": name} for name in names],
        "time_intervals": [
            {"name": name, "time_intervals": [interval_to(one) for one in intervals]}
            for name, intervals in file.intervals.named().items()
        ],
    }
    body = yaml.safe_dump(
        {key: value for key, value in said.items() if value}, sort_keys=False, allow_unicode=True
    )
    return "".join(f"# {line}\n" for line in _notes(file)) + body


def _notes(file: ReceiversFile) -> Iterator[str]:
    yield "In force at `inferometer alerts`; addresses and secrets are left out."
    if not file.receivers:
        yield "No receivers are configured, so nobody is told."
    for receiver in file.receivers.values():
        yield f"receiver {receiver.name}: {', '.join(_traits(receiver))}"
    yield from _policy_notes(file.policy)


def _policy_notes(policy: AlertPolicy) -> Iterator[str]:
    by_severity = {
        "group_wait where no route says": (policy.page_group_wait_s, policy.ticket_group_wait_s),
        "repeat_interval where no route says": (policy.page_repeat_s, policy.ticket_repeat_s),
        "max_notify_age": (policy.page_notify_age_s, policy.ticket_notify_age_s),
    }
    for name, (page_s, ticket_s) in by_severity.items():
        yield f"{name}: {span_text(page_s)} for pages, {span_text(ticket_s)} for tickets"
    yield f"group_interval where no route says: {span_text(policy.group_interval_s)}"
    yield f"reopen_window: {span_text(policy.reopen_s)}"
    yield f"stale_resolve_after: {span_text(policy.stale_resolve_after_s)}"
    flapping = policy.flapping
    yield (
        "flapping: off"
        if flapping is None
        else (
            f"flapping: {flapping.changes} changes within {span_text(flapping.within_s)}, "
            f"held up to {span_text(flapping.longest_hold_s)}"
        )
    )
    yield (
        f"storm: more than {policy.storm_incidents} incidents of one {policy.storm_label} within "
        f"{span_text(policy.storm_within_s)} are one notice"
    )


def _traits(receiver: Receiver) -> Iterator[str]:
    yield str(receiver.format)
    if receiver.fallback:
        yield f"fallback {receiver.fallback}"
    if not receiver.sends_resolved:
        yield "not told of ends"
    if receiver.resolve_delay_s:
        yield f"resolve_delay {span_text(receiver.resolve_delay_s)}"
    if receiver.heartbeat_s is not None:
        yield f"heartbeat {span_text(receiver.heartbeat_s)}"


def _route(route: Route) -> dict[str, Any]:
    spans = {
        "group_wait": route.group_wait_s,
        "group_interval": route.group_interval_s,
        "repeat_interval": route.repeat_interval_s,
    }
    said: dict[str, Any] = {
        "receiver": route.receiver,
        "matchers": [str(matcher) for matcher in route.matchers],
        "group_by": list(route.group_by or ()),
        **{name: span_text(span_s) for name, span_s in spans.items() if span_s is not None},
        "continue": route.keep_going,
        "mute_time_intervals": list(route.mute_times),
        "active_time_intervals": list(route.active_times),
        "routes": [_route(one) for one in route.routes],
    }
    return {key: value for key, value in said.items() if value}


def _inhibition(rule: InhibitRule) -> dict[str, Any]:
    said = {
        "source_matchers": [str(matcher) for matcher in rule.source],
        "target_matchers": [str(matcher) for matcher in rule.target],
        "equal": list(rule.equal),
    }
    return {key: value for key, value in said.items() if value}
