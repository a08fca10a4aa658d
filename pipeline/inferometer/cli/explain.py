"""`inferometer explain`: one incident with the numbers, windows, counts and notices behind it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

from inferometer.cli.command import OK, PROBLEMS
from inferometer.cli.instants import INSTANT_HELP, Instant
from inferometer.cli.store_flags import add_store_flags, chosen_store

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping
    from typing import TextIO

    from inferometer.cli.command import Context
    from inferometer.runtime.alert_history import Explanation

SUMMARY = "explain an incident: numbers, windows, counts and notices; or list incidents"
EXAMPLE = """
inferometer explain --store http://localhost:8123
inferometer explain --store http://localhost:8123 --from 30d --json
inferometer explain q7c2 --data ./data
"""
QUIET_LOG_LEVEL = "warning"
DEFAULT_SPAN = timedelta(days=7)
LISTED = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags and arguments."""
    parser.add_argument(
        "incident", nargs="?", metavar="INCIDENT", help="its id, or how that begins; none: list"
    )
    add_store_flags(parser)
    parser.add_argument(
        "--from", dest="since", metavar="T", type=Instant, help=f"list: {INSTANT_HELP}; default 7d"
    )
    parser.add_argument("--to", dest="until", metavar="T", type=Instant, help="list: as --from")
    parser.add_argument("--json", action="store_true", help="one object, for machines")


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Explain or list; exit 1 where no single incident has such an id."""
    from inferometer.runtime import alert_history

    store = chosen_store(arguments, context)
    if arguments.incident is None:
        rows = alert_history.incidents(store, **_span(arguments), limit=LISTED)
        _print_list(rows, arguments, context.stdout)
        return OK
    found = alert_history.explain(store, arguments.incident)
    if isinstance(found, list):
        return _not_one(found, arguments, context)
    if arguments.json:
        print(_json(asdict(found)), file=context.stdout)
    else:
        _print_one(found, context.stdout)
    return OK


def _span(arguments: argparse.Namespace) -> dict[str, datetime]:
    from inferometer.runtime.clock import now

    at = now()

    def instant(given: Instant | None, otherwise: datetime) -> datetime:
        return otherwise if given is None else datetime.fromtimestamp(given.seconds(at), UTC)

    return {
        "since": instant(arguments.since, at - DEFAULT_SPAN),
        "until": instant(arguments.until, at),
    }


def _not_one(found: list[dict[str, Any]], arguments: argparse.Namespace, context: Context) -> int:
    if found:
        print(f"several incidents begin with {arguments.incident}:", file=context.stderr)
        _print_list(found, arguments, context.stdout)
    else:
        print(
            f"no incident begins with {arguments.incident}; `inferometer explain` without one "
            "lists those of the last 7 days",
            file=context.stderr,
        )
    return PROBLEMS


def _print_list(rows: list[dict[str, Any]], arguments: argparse.Namespace, out: TextIO) -> None:
    if arguments.json:
        print(_json({"incidents": rows}), file=out)
        return
    if not rows:
        print("no incident in this span", file=out)
    for row in rows:
        shared = ", told together with another" if row["is_told_with_another"] else ""
        ended = f"resolved {_time(row['resolved_at'])}" if row["resolved_at"] else "OPEN"
        print(
            f"{row['incident_id']}  {row['severity']:<6}  {_time(row['detected_at'])}  {ended}  "
            f"{_labels(row['labels'])}  pages {row['pages_delivered']}{shared}",
            file=out,
        )


def _print_one(found: Explanation, out: TextIO) -> None:
    one = found.incident
    print(f"incident {one['incident_id']}: {one['severity']} of {one['slo']}", file=out)
    print(f"  for       {_labels(one['labels'])}", file=out)
    print(f"  started   {_time(one['starts_at'])}", file=out)
    print(f"  detected  {_time(one['detected_at'])}, episodes {one['episodes']}", file=out)
    if one["resolved_at"]:
        reason = one["resolve_reason"] or "no reason given"
        print(f"  resolved  {_time(one['resolved_at'])} ({reason})", file=out)
    else:
        print("  resolved  not yet", file=out)
    print(f"  rules     {', '.join(sorted(one['rules'])) or '-'}", file=out)
    if found.drivers:
        print(f"  drivers   {', '.join(map(_driver, found.drivers))}", file=out)
    print("what happened", file=out)
    for each in found.transitions:
        details = [each["rule"], each["reason"], *each["suppressed_by"]]
        text = "  ".join(filter(None, details))
        print(f"  {_time(each['at'])}  {each['severity']:<6}  {each['kind']:<18}  {text}", file=out)
        for facts in each["conditions"] if each["rule"] else ():
            # Numbers are kept of what is true: when it ends, they are those of the tick before.
            print(f"      {'' if facts['is_true'] else 'last true: '}{_facts(facts)}", file=out)
    print("who was told", file=out)
    if not found.attempts:
        print("  nobody", file=out)
    own = one["incident_id"]
    for each in found.attempts:
        status = f" {each['http_status']}" if each["http_status"] else ""
        error = f"  {each['error']}" if each["error"] else ""
        print(
            f"  {_time(each['at'])}  {each['transition']:<9}  {each['receiver']} "
            f"({each['format']})  attempt {each['attempt']}: {each['outcome']}{status}, "
            f"{each['duration_ms']} ms{error}{_together(each['incident_id'], own)}",
            file=out,
        )


def _together(told_id: str, own_id: str) -> str:
    return "" if told_id == own_id else f"  (told together with {told_id})"


def _facts(facts: Mapping[str, Any]) -> str:
    if not facts["long_s"]:
        value = "-" if facts["value"] is None else f"{facts['value']:g}"
        return f"{facts['rule']}: {value} against {facts['threshold']:g} {facts['unit']}".rstrip()
    parts = [
        f"{facts[f'{side}_bad']} bad of {facts[f'{side}_total']} in {_length(facts[f'{side}_s'])}, "
        f"burn {facts[f'{side}_burn']:.4g}"
        for side in ("long", "short")
        if facts[f"{side}_s"]
    ]
    chance = "" if facts["p_value"] is None else f"; by chance {facts['p_value']:.2g}"
    return f"{facts['rule']}: over {facts['threshold']:g} with {'; '.join(parts)}{chance}"


def _driver(each: Mapping[str, Any]) -> str:
    return f"{each['dimension']} {each['value']} ({each['share']:.0%})"


def _length(seconds: int) -> str:
    for unit_s, unit in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds >= unit_s and seconds % unit_s == 0:
            return f"{seconds // unit_s}{unit}"
    return f"{seconds}s"


def _labels(labels: Mapping[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(labels.items()) if value)


def _time(instant: datetime | None) -> str:
    return "-" if instant is None else instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _json(found: Any) -> str:
    return orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode()
