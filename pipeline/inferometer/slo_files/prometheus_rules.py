"""Writes objectives as Prometheus rules: recorded ratios, budgets, and an alert for each pair.

The names of the recorded series are Sloth's, so that its dashboards show them. Ratios are always
sums over sums (never means of ratios), a window without requests has no ratio, and one without
failures has the ratio 0. What PromQL cannot say is left out: significance on low traffic, distinct
callers, weighting by the budget, absence against the hour of the week, one incident for several
rules.
"""

from __future__ import annotations

import re
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import yaml

from inferometer.core.slo.closed_forms import threshold_of
from inferometer.core.slo.definitions import MINUTE_S, Severity
from inferometer.core.slo.outage import OUTAGE
from inferometer.core.slo.spans import span_text
from inferometer.names import BAD_REQUESTS_METRIC, VALID_REQUESTS_METRIC

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from inferometer.core.slo.definitions import Slo

LONGEST_HOLD_S = 30 * MINUTE_S
CURRENT_S = 5 * MINUTE_S
BURN_ALERT, OUTAGE_ALERT = "InferometerSloBurn", "InferometerSloOutage"
HEADER = """\
# Written by `inferometer slo rules --prometheus`; change the SLO files, not this one.
# It needs Prometheus 2.42 or newer (keep_firing_for). It does not have what PromQL cannot say:
# significance on low traffic, distinct callers, weighting by the budget, absence against the hour
# of the week.
"""

Rule = dict[str, Any]
Group = dict[str, Any]


def prometheus_rules(
    slos: Iterable[Slo],
    *,
    valid_metric: str = VALID_REQUESTS_METRIC,
    bad_metric: str = BAD_REQUESTS_METRIC,
) -> str:
    """Return the rule file of objectives, as YAML.

    Args:
        valid_metric: counter of valid requests, labelled `slo`, `workspace` and the groups.
        bad_metric: counter of those that were bad, labelled alike.
    """
    groups = [
        group
        for slo in slos
        for group in _Writer(slo, valid_metric=valid_metric, bad_metric=bad_metric).groups()
    ]
    body = yaml.dump(
        {"groups": groups}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000
    )
    return HEADER + body


class _Dumper(yaml.SafeDumper):
    """Writes expressions of several lines as people do."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def is_metric_name(text: str) -> bool:
    """Return whether Prometheus takes a text for the name of a metric."""
    return re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*", text) is not None


class _Writer:
    """Writes one objective."""

    def __init__(self, slo: Slo, *, valid_metric: str, bad_metric: str) -> None:
        self._slo = slo
        self._valid, self._bad = valid_metric, bad_metric
        self._identity = {"slo": slo.name, "workspace": slo.workspace}
        self._labels = {**self._identity, "service": slo.service}

    def groups(self) -> list[Group]:
        """Return the groups: alerts read what the ones before have recorded."""
        name = "-".join(part for part in (self._slo.workspace, self._slo.name) if part)
        return [
            {"name": f"slo-sli-recordings-{name}", "rules": self._ratios()},
            {"name": f"slo-meta-recordings-{name}", "rules": self._budget()},
            {"name": f"slo-alerts-{name}", "rules": self._alerts()},
        ]

    def _spans_s(self) -> list[int]:
        slo = self._slo
        spans_s = {CURRENT_S, slo.period_s}
        for window in slo.burn_windows:
            spans_s |= {window.long_s, window.short_s}
        if slo.outage is not None:
            spans_s |= {slo.outage.long_s, slo.outage.short_s}
        return sorted(spans_s)

    def _ratios(self) -> list[Rule]:
        return [
            {
                "record": _series(span_s),
                "expr": self._ratio(span_s),
                "labels": {**self._labels, "window": span_text(span_s)},
            }
            for span_s in self._spans_s()
        ]

    def _ratio(self, span_s: int) -> str:
        by = f" by ({', '.join(self._slo.group_by)})" if self._slo.group_by else ""
        selector = _selector(self._identity)
        bad, valid = (
            f"sum{by} (rate({metric}{selector}[{span_text(span_s)}]))"
            for metric in (self._bad, self._valid)
        )
        return f"(\n  {bad}\n  or {valid} * 0\n)\n/\n({valid} > 0)"

    def _budget(self) -> list[Rule]:
        slo = self._slo
        budget = _number(1 - Fraction(slo.objective))
        current, period = (self._ratio_of(span_s) for span_s in (CURRENT_S, slo.period_s))
        expressions = {
            "slo:objective:ratio": f"vector({slo.objective})",
            "slo:error_budget:ratio": f"vector({budget})",
            "slo:time_period:days": f"vector({_number(Fraction(slo.period_s, 86_400))})",
            "slo:current_burn_rate:ratio": f"{current} / {budget}",
            "slo:period_burn_rate:ratio": f"{period} / {budget}",
            "slo:period_error_budget_remaining:ratio": f"1 - {period} / {budget}",
        }
        return [
            {"record": name, "expr": expression, "labels": dict(self._labels)}
            for name, expression in expressions.items()
        ]

    def _alerts(self) -> list[Rule]:
        slo = self._slo
        rules = []
        for window in slo.burn_windows:
            condition = f"> {_number(threshold_of(window, slo))}"
            rule = self._alert(BURN_ALERT, window.name, window.severity, window.short_s)
            rule["expr"] = self._pair(window.long_s, window.short_s, condition)
            rule["annotations"]["description"] = (
                f"{slo.service} spends the error budget of {slo.name} more than "
                f"{float(window.burn(slo.period_s)):.6g} times too fast, over "
                f"{span_text(window.long_s)} and over {span_text(window.short_s)}."
            )
            rules.append(rule)
        if slo.outage is not None:
            condition = f">= {slo.outage.bad_ratio}"
            rule = self._alert(OUTAGE_ALERT, OUTAGE, Severity.PAGE, slo.outage.long_s)
            rule["expr"] = self._pair(slo.outage.long_s, slo.outage.short_s, condition)
            rule["annotations"]["description"] = (
                f"{slo.outage.bad_ratio:.0%} or more of what {slo.name} counts is bad, over "
                f"{span_text(slo.outage.long_s)} and over {span_text(slo.outage.short_s)}."
            )
            rules.append(rule)
        return rules

    def _alert(self, alert: str, rule: str, severity: Severity, hold_s: int) -> Rule:
        slo = self._slo
        hold_s = min(hold_s, LONGEST_HOLD_S) if slo.keep_firing_s is None else slo.keep_firing_s
        labels = {**self._labels, "severity": severity.value, "rule": rule}
        labels["tier"] = slo.tier.value
        if slo.owner:
            labels["owner"] = slo.owner
        # Identity is not to be overruled: two alerts of one identity would be one to Prometheus.
        labels = {_label(name): value for name, value in slo.labels.items()} | labels
        annotations = {"summary": slo.description or f"{slo.name} of {slo.service}"}
        links = {"runbook_url": slo.runbook_url, "dashboard_url": slo.dashboard_url}
        annotations |= {name: link for name, link in links.items() if link}
        annotations |= {_label(name): value for name, value in slo.annotations.items()}
        return {
            "alert": alert,
            "expr": "",
            "keep_firing_for": span_text(hold_s),
            "labels": labels,
            "annotations": {name: _plain(text) for name, text in annotations.items()},
        }

    def _pair(self, long_s: int, short_s: int, condition: str) -> str:
        long, short = self._ratio_of(long_s), self._ratio_of(short_s)
        return f"{long} {condition}\nand ignoring (window)\n{short} {condition}"

    def _ratio_of(self, span_s: int) -> str:
        return f"{_series(span_s)}{_selector(self._identity)}"


def _series(span_s: int) -> str:
    return f"slo:sli_error:ratio_rate{span_text(span_s)}"


def _selector(labels: dict[str, str]) -> str:
    pairs: Sequence[str] = [f'{name}="{_escaped(value)}"' for name, value in labels.items()]
    return f"{{{', '.join(pairs)}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _label(name: str) -> str:
    """Return a name that Prometheus takes for a label."""
    return re.sub(r"\W|^(?=\d)", "_", name, flags=re.ASCII)


def _plain(text: str) -> str:
    """Keep Prometheus from taking braces in a text for a template."""
    return text.replace("{{", '{{ "{{" }}')


def _number(ratio: Fraction) -> str:
    """Write a ratio exactly where decimals can, else to 17 digits."""
    with localcontext() as context:
        context.prec = 17
        return f"{(Decimal(ratio.numerator) / Decimal(ratio.denominator)).normalize():f}"
