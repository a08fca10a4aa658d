"""`inferometer slo`: judges SLO files, shows what they mean, and writes them as Prometheus rules."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inferometer.cli.command import OK, PROBLEMS, Context, UsageError, add_subcommand
from inferometer.cli.text_table import text_table
from inferometer.errors import PipelineError
from inferometer.names import BAD_REQUESTS_METRIC, VALID_REQUESTS_METRIC

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from inferometer.core.slo.budgets import MoneyBudget
    from inferometer.core.slo.metric_rules import MetricRule
    from inferometer.slo_files import Finding, SloFiles

SUMMARY = "check SLO files, list what they declare, or write them as Prometheus rules"
EXAMPLE = """
inferometer slo check slos.yaml
inferometer slo list slos.yaml openslo.yaml --json
inferometer slo rules --prometheus slos.yaml > rules.yaml
"""
COLUMNS = ("kind", "workspace", "name", "service", "what", "target", "group by", "total outage")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags and arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="check|list|rules")
    added = [_add_check(actions), _add_list(actions), _add_rules(actions)]
    for action in added:
        action.add_argument(
            "files", nargs="+", type=Path, metavar="FILE", help="YAML file, or a folder of them"
        )


def _add_check(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    check = add_subcommand(
        actions,
        "check",
        summary="find every problem of SLO files at once, with file, line and remedy",
        example="inferometer slo check slos.yaml openslo.yaml --requests-per-hour 6000",
    )
    check.add_argument(
        "--strict", action="store_true", help="what is allowed and deserves a word fails too"
    )
    check.add_argument(
        "--requests-per-hour",
        type=_rate,
        metavar="N",
        help="expected traffic of one group, where a file does not tell",
    )
    check.add_argument(
        "--receivers",
        type=Path,
        metavar="FILE",
        help="also hold the receivers that are named against this receivers file",
    )
    check.add_argument("--json", action="store_true", help="one object, for machines")
    return check


def _add_list(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    shown = add_subcommand(
        actions,
        "list",
        summary="show objectives, budgets and rules, and how soon a total outage fires them",
        example="inferometer slo list slos.yaml",
    )
    shown.add_argument("--json", action="store_true", help="one object, for machines")
    return shown


def _add_rules(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    rules = add_subcommand(
        actions,
        "rules",
        summary="write objectives as rules of another system, on stdout",
        example="inferometer slo rules --prometheus slos.yaml > rules.yaml",
    )
    rules.add_argument(
        "--prometheus", action="store_true", required=True, help="recording and alerting rules"
    )
    for word, default in (("valid", VALID_REQUESTS_METRIC), ("bad", BAD_REQUESTS_METRIC)):
        rules.add_argument(
            f"--{word}-metric",
            default=default,
            metavar="NAME",
            help=f"counter of {word} requests; default {default}",
        )
    return rules


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Do the work and return the exit code: 1 where a file has problems."""
    try:
        from inferometer.slo_files import load_slo_files
    except ModuleNotFoundError as error:
        if error.name != "yaml":
            raise
        raise PipelineError(
            "SLO files are YAML, and PyYAML is missing; run: pip install 'inferometer[server]'"
        ) from error
    found = load_slo_files(
        arguments.files, requests_per_hour=getattr(arguments, "requests_per_hour", None)
    )
    actions: Mapping[str, Callable[[SloFiles, argparse.Namespace, Context], int]] = {
        "check": _check,
        "list": _list,
        "rules": _rules,
    }
    return actions[arguments.action](found, arguments, context)


def _check(found: SloFiles, arguments: argparse.Namespace, context: Context) -> int:
    if arguments.receivers is not None:
        found = _with_receivers(found, arguments.receivers, context)
    fails = bool(found.problems or (arguments.strict and found.cautions))
    if arguments.json:
        answer = {
            "ok": not fails,
            "problems": [_finding(finding) for finding in found.problems],
            "cautions": [_finding(finding) for finding in found.cautions],
            **_counts(found),
        }
        print(json.dumps(answer, indent=2), file=context.stdout)
        return PROBLEMS if fails else OK
    for finding in found.problems:
        print(f"problem  {finding}", file=context.stdout)
    for finding in found.cautions:
        print(f"caution  {finding}", file=context.stdout)
    for slo in found.slos:
        print(f"ok       {slo.source}: slo {slo.name}: {_outage_text(slo)}", file=context.stdout)
    for row in [*map(_budget_row, found.budgets), *map(_rule_row, found.rules)]:
        about = f"{row['what']}, {row['target']}"
        print(
            f"ok       {row['source']}: {row['kind']} {row['name']}: {about}", file=context.stdout
        )
    counts = ", ".join(f"{count} {what}" for what, count in _counts(found).items())
    print(
        f"{len(found.problems)} problems, {len(found.cautions)} cautions; sound are {counts}",
        file=context.stdout,
    )
    return PROBLEMS if fails else OK


def _with_receivers(found: SloFiles, path: Path, context: Context) -> SloFiles:
    """Return what was found, and the receivers that are named in vain."""
    from inferometer.slo_files.receiver_names import unknown_receivers
    from inferometer.webhooks.receivers_file import load_receivers_file

    receivers = load_receivers_file(path, environ=context.environ)
    for problem in receivers.problems:
        print(f"caution  {problem}", file=context.stderr)
    unknown = unknown_receivers(found, receivers.receivers)
    return replace(found, problems=(*found.problems, *unknown))


def _list(found: SloFiles, arguments: argparse.Namespace, context: Context) -> int:
    rows = [
        *map(_slo_row, found.slos),
        *map(_budget_row, found.budgets),
        *map(_rule_row, found.rules),
    ]
    if arguments.json:
        answer = {"declared": rows, "problems": [_finding(item) for item in found.problems]}
        print(json.dumps(answer, indent=2), file=context.stdout)
    else:
        _print_table(rows, context)
        _print_problems(found.problems, context)
    return PROBLEMS if found.problems else OK


def _rules(found: SloFiles, arguments: argparse.Namespace, context: Context) -> int:
    from inferometer.slo_files.prometheus_rules import is_metric_name, prometheus_rules

    for flag, name in (("valid", arguments.valid_metric), ("bad", arguments.bad_metric)):
        if not is_metric_name(name):
            raise UsageError(
                f"--{flag}-metric {name!r} is no metric; write letters, digits, _ and : only"
            )
    text = prometheus_rules(
        found.slos, valid_metric=arguments.valid_metric, bad_metric=arguments.bad_metric
    )
    context.stdout.write(text)
    _print_problems(found.problems, context)
    return PROBLEMS if found.problems else OK


def _counts(found: SloFiles) -> dict[str, int]:
    return {"slos": len(found.slos), "budgets": len(found.budgets), "rules": len(found.rules)}


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "file": finding.place.file,
        "line": finding.place.line,
        "subject": finding.subject,
        "text": finding.text,
    }


def _print_problems(problems: Sequence[Finding], context: Context) -> None:
    for finding in problems:
        print(f"problem  {finding}", file=context.stderr)


def _slo_row(slo: Any) -> dict[str, Any]:
    from inferometer.core.slo.cautions import total_outage_detections_s
    from inferometer.core.slo.spans import span_text
    from inferometer.slo_files.wording import indicator_text

    return {
        "kind": "slo",
        "workspace": slo.workspace,
        "name": slo.name,
        "service": slo.service,
        "what": indicator_text(slo.indicator),
        "target": f"{slo.objective} in {span_text(slo.period_s)}",
        "where": [str(matcher) for matcher in slo.selector],
        "group by": list(slo.group_by),
        "total outage": {
            name: round(seconds, 3) for name, seconds in total_outage_detections_s(slo).items()
        },
        "owner": slo.owner,
        "tier": slo.tier.value,
        "source": slo.source,
    }


def _budget_row(budget: MoneyBudget) -> dict[str, Any]:
    return {
        "kind": "budget",
        "workspace": budget.workspace,
        "name": budget.name,
        "service": budget.service,
        "what": f"{len(budget.rules)} cost rules",
        "target": f"{budget.amount_usd} USD a {budget.period} ({budget.zone})",
        "where": [str(matcher) for matcher in budget.selector],
        "group by": list(budget.group_by),
        "total outage": {},
        "owner": budget.owner,
        "tier": budget.tier.value,
        "source": budget.source,
    }


def _rule_row(rule: MetricRule) -> dict[str, Any]:
    levels = [f"{rule.comparison} {level.value} {level.severity}" for level in rule.levels]
    return {
        "kind": "rule",
        "workspace": rule.workspace,
        "name": rule.name,
        "service": rule.service,
        "what": str(rule.metric),
        "target": ", ".join([*levels, *(["band"] if rule.band is not None else [])]),
        "where": [str(matcher) for matcher in rule.selector],
        "group by": list(rule.group_by),
        "total outage": {},
        "owner": rule.owner,
        "tier": rule.tier.value,
        "source": rule.source,
    }


def _outage_text(slo: Any) -> str:
    from inferometer.core.slo.cautions import total_outage_detections_s

    return f"a total outage fires {_detections(total_outage_detections_s(slo))}"


def _detections(seconds_of: Mapping[str, float]) -> str:
    ordered = sorted(seconds_of.items(), key=lambda item: item[1])
    return ", ".join(f"{name} in {_duration(seconds)}" for name, seconds in ordered) or "nothing"


def _duration(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"


def _print_table(rows: Sequence[Mapping[str, Any]], context: Context) -> None:
    cells = [COLUMNS, *(tuple(_cell(row[name]) for name in COLUMNS) for row in rows)]
    print(text_table(cells), file=context.stdout)


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return _detections(value) if value else "-"
    if isinstance(value, list):
        return ",".join(value) or "-"
    return str(value) or "-"


def _rate(text: str) -> Decimal:
    try:
        rate = Decimal(text)
    except InvalidOperation:
        rate = Decimal(-1)
    if not rate.is_finite() or rate < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no rate; write requests an hour, as 6000")
    return rate
