"""What the receivers file says of inhibition and of the intervals of alerting, and what it means."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, StrictInt

from inferometer.core.alerts.inhibition import SHIPPED_INHIBITIONS, InhibitRule
from inferometer.core.alerts.policy import AlertPolicy, FlappingPolicy
from inferometer.webhooks.span_parts import MatcherText, Part, Span

if TYPE_CHECKING:
    from collections.abc import Sequence

Count = Annotated[StrictInt, Field(ge=2)]


class InhibitPart(Part):
    """One rule, in Alertmanager's words."""

    source_matchers: tuple[MatcherText, ...] = Field(
        min_length=1, description="While an alert that meets them fires..."
    )
    target_matchers: tuple[MatcherText, ...] = Field(
        min_length=1, description="...alerts that meet these are quiet."
    )
    equal: tuple[str, ...] = Field(
        default=(), description="Labels that must agree; a missing one is the empty text."
    )

    def rule(self) -> InhibitRule:
        """Return the rule."""
        return InhibitRule(
            source=self.source_matchers, target=self.target_matchers, equal=self.equal
        )


class NotifyAgePart(Part):
    """How late a firing may be found and still be told at once."""

    page: Span | None = Field(default=None, description="Default 10m.")
    ticket: Span | None = Field(default=None, description="Default 1d.")


class FlappingPart(Part):
    """When an alert counts as flapping: its hold doubles then."""

    changes: Count = Field(default=4, description="So many changes...")
    within: Span | None = Field(default=None, description="...within this; default 20m.")
    longest_hold: Span | None = Field(default=None, description="Default 1h.")


class StormPart(Part):
    """When many incidents are told as one."""

    label: str = Field(default="provider", description="The label that they share.")
    incidents: Count = Field(default=10, description="More than so many...")
    within: Span | None = Field(default=None, description="...within this; default 1m.")


class PolicyPart(Part):
    """Intervals of alerting that are no route's, receiver's or objective's own."""

    reopen_window: Span | None = Field(
        default=None, description="What comes back so soon is the same incident; default 30m."
    )
    stale_resolve_after: Span | None = Field(
        default=None, description="An alert without data ends after this; default 1d."
    )
    max_notify_age: NotifyAgePart = NotifyAgePart()
    flapping: FlappingPart | Literal[False] = FlappingPart()
    storm: StormPart = StormPart()

    def policy(self) -> AlertPolicy:
        """Return the policy: the shipped one but for what is written."""
        usual = AlertPolicy()
        return replace(
            usual,
            flapping=self._flapping(),
            storm_label=self.storm.label,
            storm_incidents=self.storm.incidents,
            **_written(
                reopen_s=self.reopen_window,
                stale_resolve_after_s=self.stale_resolve_after,
                page_notify_age_s=self.max_notify_age.page,
                ticket_notify_age_s=self.max_notify_age.ticket,
                storm_within_s=self.storm.within,
            ),
        )

    def _flapping(self) -> FlappingPolicy | None:
        if not self.flapping:
            return None
        part = self.flapping
        spans = _written(within_s=part.within, longest_hold_s=part.longest_hold)
        return FlappingPolicy(changes=part.changes, **spans)


def _written(**spans: int | None) -> dict[str, Any]:
    return {name: span_s for name, span_s in spans.items() if span_s is not None}


def inhibitions_of(rules: Sequence[InhibitPart], *, keeps_shipped: bool) -> tuple[InhibitRule, ...]:
    """Return the rules of a file, after the shipped ones unless it does without them."""
    shipped = SHIPPED_INHIBITIONS if keeps_shipped else ()
    return (*shipped, *(part.rule() for part in rules))
