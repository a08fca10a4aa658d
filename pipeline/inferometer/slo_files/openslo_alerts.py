"""Burn windows and receivers from OpenSLO alert policies: one policy holds one pair of windows."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from inferometer.core.slo.definitions import BurnWindow, Severity
from inferometer.core.slo.spans import parse_span_s
from inferometer.slo_files.openslo_parts import (
    DOMAIN,
    AlertConditionSpec,
    AlertPolicySpec,
    TargetSpec,
)
from inferometer.slo_files.part_types import in_range
from inferometer.slo_files.windows import LARGEST_DIFFERENCE, SHORTS, SIGNIFICANCE

if TYPE_CHECKING:
    from inferometer.slo_files.findings import Place
    from inferometer.slo_files.openslo import OpenSloObject, OpenSloObjects

SEVERITIES = {
    "page": Severity.PAGE,
    "critical": Severity.PAGE,
    "high": Severity.PAGE,
    "ticket": Severity.TICKET,
    "warning": Severity.TICKET,
    "medium": Severity.TICKET,
    "low": Severity.TICKET,
}
"""OpenSLO leaves the words of severity to its users."""
SHORT, SHARE, SIGNIFICANT = "short-window", "budget-percent", "significance"
CONDITION_ANNOTATIONS = (SHORT, SHARE, SIGNIFICANT)
RECEIVER = "receiver"


class PolicyReader:
    """Reads the policies of one SLO, one after the other."""

    def __init__(self, objects: OpenSloObjects, period_s: int) -> None:
        self._objects = objects
        self._findings = objects.findings
        self._period_s = period_s
        self.windows: list[tuple[BurnWindow, Place]] = []
        self.receivers: list[str] = []
        self.alerts_on_no_data = False

    def read(self, policy: OpenSloObject) -> bool:
        """Take one policy in; return whether all of it could be used."""
        spec = policy.spec(AlertPolicySpec, self._findings)
        if spec is None:
            return False
        self.alerts_on_no_data |= spec.alert_when_no_data
        has_receivers = self._read_targets(policy, spec)
        if not spec.alert_when_breaching:
            self._findings.caution(
                policy.place("spec"),
                "it does not alert when breaching; write alertWhenBreaching: true if it should",
                subject=policy.subject,
            )
            return has_receivers
        if len(spec.conditions) != 1:
            self._problem(
                policy, f"it has {len(spec.conditions)} conditions; write a policy for each", "spec"
            )
            return False
        condition = self._objects.referred(
            "AlertCondition", spec.conditions[0], "conditionRef", policy, ("spec", "conditions", 0)
        )
        return condition is not None and self._read_condition(condition) and has_receivers

    def _problem(self, source: OpenSloObject, text: str, *path: str | int) -> None:
        self._findings.problem(source.place(*path), text, subject=source.subject)

    def _read_targets(self, policy: OpenSloObject, spec: AlertPolicySpec) -> bool:
        is_sound = True
        for index, item in enumerate(spec.notification_targets):
            target = self._objects.referred(
                "AlertNotificationTarget",
                item,
                "targetRef",
                policy,
                ("spec", "notificationTargets", index),
            )
            if target is None or target.spec(TargetSpec, self._findings) is None:
                is_sound = False
            else:
                annotations = target.envelope.metadata.annotations
                name = annotations.get(f"{DOMAIN}{RECEIVER}", target.name)
                self.receivers += [] if name in self.receivers else [name]
        return is_sound

    def _read_condition(self, source: OpenSloObject) -> bool:
        spec = source.spec(AlertConditionSpec, self._findings)
        if spec is None:
            return False
        try:
            window = self._window(source, spec)
        except ValueError as error:
            self._problem(source, str(error), "spec")
            return False
        if spec.condition.op in {"lt", "lte"}:
            self._findings.caution(
                source.place("spec", "condition", "op"),
                f"op {spec.condition.op} would fire while all is well; it is read as gt, write that",
                subject=source.subject,
            )
        if spec.condition.alert_after.strip(" 0") not in {"", "m", "s", "h"}:
            self._findings.caution(
                source.place("spec", "condition", "alertAfter"),
                f"alertAfter {spec.condition.alert_after} is not waited for: the two windows are "
                "the wait; remove it",
                subject=source.subject,
            )
        if all(window != known for known, _ in self.windows):
            self.windows.append((window, source.place("spec", "condition")))
        return True

    def _window(self, source: OpenSloObject, spec: AlertConditionSpec) -> BurnWindow:
        condition = spec.condition
        if condition.kind.lower() != "burnrate":
            raise ValueError(f"condition of kind {condition.kind} is not read; write burnrate")
        if condition.op not in {"gt", "gte", "lt", "lte"}:
            raise ValueError(f"op {condition.op} is not known; write gt")
        severity = SEVERITIES.get(spec.severity.lower())
        if severity is None:
            raise ValueError(f"severity {spec.severity} is not known; write page or ticket")
        extra = self._annotations(source)
        long_s = parse_span_s(condition.lookback_window)
        return BurnWindow(
            name=source.name,
            severity=severity,
            long_s=long_s,
            short_s=parse_span_s(extra[SHORT]) if SHORT in extra else long_s // SHORTS,
            budget_share=self._share(condition.threshold, long_s, extra.get(SHARE)),
            significance=float(_number(extra.get(SIGNIFICANT, SIGNIFICANCE[severity]))),
        )

    def _annotations(self, source: OpenSloObject) -> dict[str, str]:
        found = {
            name.removeprefix(DOMAIN): text
            for name, text in source.envelope.metadata.annotations.items()
            if name.startswith(DOMAIN)
        }
        unknown = sorted(set(found).difference(CONDITION_ANNOTATIONS))
        if unknown:
            known = ", ".join(f"{DOMAIN}{name}" for name in CONDITION_ANNOTATIONS)
            raise ValueError(f"unknown annotation {DOMAIN}{unknown[0]}; known are {known}")
        return found

    def _share(self, threshold: Decimal, long_s: int, percent: str | None) -> Decimal:
        share_of_burn = threshold * long_s / self._period_s
        if percent is None:
            return share_of_burn
        share = _number(percent) / 100
        if abs(share_of_burn - share) > share * LARGEST_DIFFERENCE:
            burn = share * self._period_s / long_s
            raise ValueError(
                f"threshold {threshold} and {SHARE} {percent} contradict each other; "
                f"the share is a burn rate of {float(burn):.6g}, leave one of them out or mend it"
            )
        return share


def _number(value: Any) -> Decimal:
    try:
        return in_range(Decimal(value))
    except ArithmeticError as error:
        raise ValueError(f"{value!r} is no number; write for example 2") from error
