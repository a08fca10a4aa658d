"""`inferometer silence`: silences and maintenance windows of the alerts that run."""

from __future__ import annotations

import argparse
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from inferometer.cli.command import OK, PROBLEMS, UsageError, add_subcommand
from inferometer.cli.instants import INSTANT_HELP, Instant

if TYPE_CHECKING:
    from datetime import datetime

    from inferometer.cli.command import Context
    from inferometer.core.alerts.matchers import Matcher
    from inferometer.runtime.silences import SilenceClient

SUMMARY = "add, list and expire silences and maintenance windows of alerts"
EXAMPLE = """
inferometer silence add chat-success severity=ticket --duration 2h --comment "known, fix is on its way"
inferometer silence add service=chat-api --effect both --duration 30m --comment "database upgrade"
inferometer silence list
inferometer silence expire 9a0753c4-f3f8-41ed-ae14-00203b2442d7
"""
EFFECTS = ("mute", "exclude_from_budget", "both", "annotate")
MATCHER_HELP = "label=value, also !=, =~ and !~; a bare name is that of an objective"
_DURATION = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_OPERATOR = re.compile(r"[=~]")
_COMMENT_CHARS = 60


class Duration:
    """How long: 90m, 2h, 1h30m, 2d; made from text by `argparse`."""

    def __init__(self, text: str) -> None:
        """Read the text. Raises argparse.ArgumentTypeError."""
        found = _DURATION.fullmatch(text)
        weeks, days, hours, minutes, seconds = (
            (int(part or 0) for part in found.groups()) if found and text else (0, 0, 0, 0, 0)
        )
        try:
            self.length = timedelta(days, seconds, 0, 0, minutes, hours, weeks)
        except OverflowError as error:
            raise argparse.ArgumentTypeError(f"{text!r} is too long") from error
        if not self.length:
            raise argparse.ArgumentTypeError(f"{text!r} is no duration; try 30m, 2h, 1d")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands."""
    subcommands = parser.add_subparsers(dest="action", required=True)
    _add_add(subcommands)
    listing = add_subcommand(
        subcommands,
        "list",
        summary="list silences and maintenance windows that are on or to come",
        example="inferometer silence list service=chat-api --expired",
    )
    listing.add_argument(
        "matchers", metavar="MATCHER", nargs="*", help=f"only those that have it; {MATCHER_HELP}"
    )
    listing.add_argument("--expired", action="store_true", help="also those that have ended")
    expiring = add_subcommand(
        subcommands,
        "expire",
        summary="end silences and maintenance windows now",
        example="inferometer silence expire 9a0753c4-f3f8-41ed-ae14-00203b2442d7",
    )
    expiring.add_argument("ids", metavar="ID", nargs="+", help="as add printed and list shows it")
    for subparser in (listing, expiring):
        add_place(subparser)


def _add_add(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = add_subcommand(
        subcommands,
        "add",
        summary="silence alerts, or with --effect make a maintenance window; prints its id",
        example="inferometer silence add slo=chat-success 'model=~gpt.*' --duration 2h "
        '--comment "provider incident"\n'
        "inferometer silence add service=chat-api --effect both --schedule weekly.yaml "
        '--comment "backup"',
    )
    parser.add_argument("matchers", metavar="MATCHER", nargs="+", help=MATCHER_HELP)
    parser.add_argument(
        "--duration", metavar="D", type=Duration, help="from its start on; default 1h"
    )
    parser.add_argument("--start", metavar="T", type=Instant, help=f"default now; {INSTANT_HELP}")
    parser.add_argument("--end", metavar="T", type=Instant, help="instead of --duration")
    add_reason(parser)
    parser.add_argument(
        "--effect",
        choices=EFFECTS,
        help="make a maintenance window: mute notices, exclude events from budgets, both, or only "
        "annotate notices",
    )
    parser.add_argument(
        "--schedule",
        metavar="FILE",
        type=Path,
        help="YAML with Alertmanager's time_intervals: on at those times only, until --end if given",
    )
    add_place(parser)


def add_reason(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of why, and of who says it; see `author_of`."""
    parser.add_argument("--comment", metavar="TEXT", required=True, help="why, for others")
    parser.add_argument(
        "--author", metavar="NAME", help="who; default: the variable USER or LOGNAME"
    )


def add_place(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of who is asked."""
    parser.add_argument(
        "--url",
        metavar="URL",
        help="HTTP interface of the alerts; default: settings alerts.http_host and http_port",
    )
    parser.add_argument(
        "--token-file", metavar="FILE", help="file that holds the setting alerts.http_token"
    )
    parser.add_argument("--json", action="store_true", help="one object, for machines")


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Do what the subcommand says; exit 1 where the alerts refuse."""
    actions = {"add": _add, "list": _list, "expire": _expire}
    return actions[arguments.action](arguments, context, client_of(arguments, context))


def client_of(arguments: argparse.Namespace, context: Context) -> SilenceClient:
    """Return who asks the interface that the flags of `add_place` and the settings name."""
    from inferometer.runtime.silences import SilenceClient, interface_url

    alerts = context.settings({"alerts.http_token_file": arguments.token_file}).alerts
    url = arguments.url or interface_url(alerts)
    return SilenceClient(url, token=alerts.http_token.reveal())


def author_of(arguments: argparse.Namespace, context: Context) -> str:
    """Return who says it. Raises UsageError."""
    author = arguments.author or context.environ.get("USER") or context.environ.get("LOGNAME")
    if not author:
        raise UsageError("who is it? give --author NAME")
    return str(author)


def _add(arguments: argparse.Namespace, context: Context, client: SilenceClient) -> int:
    from inferometer.runtime.silences import schedule_of

    author = author_of(arguments, context)
    if arguments.schedule and not arguments.effect:
        raise UsageError("--schedule needs --effect: only a maintenance window comes again")
    said: dict[str, Any] = {"matchers": matchers_of(arguments.matchers), "createdBy": author}
    said.update(_times(arguments))
    if arguments.effect is None:
        kind, new_id = "silence", client.add_silence({**said, "comment": arguments.comment})
    else:
        if arguments.schedule:
            said["time_intervals"] = schedule_of(arguments.schedule)
        said.update(effect=arguments.effect, reason=arguments.comment)
        kind, new_id = "maintenance", client.add_window(said)
    print(_dumped({"id": new_id, "kind": kind}) if arguments.json else new_id, file=context.stdout)
    return OK


def _times(arguments: argparse.Namespace) -> dict[str, str]:
    from inferometer.runtime.clock import now

    if arguments.end is not None and arguments.duration is not None:
        raise UsageError("--end and --duration exclude each other; keep one of the two")
    at = now()
    start = at if arguments.start is None else instant_of(arguments.start, at)
    times = {} if arguments.start is None else {"startsAt": instant_text(start)}
    if arguments.end is not None:
        return {**times, "endsAt": instant_text(instant_of(arguments.end, at))}
    if arguments.schedule is not None and arguments.duration is None:
        return times
    length = arguments.duration.length if arguments.duration else timedelta(hours=1)
    try:
        return {**times, "endsAt": instant_text(start + length)}
    except OverflowError as error:
        raise UsageError("--duration ends after the year 9999") from error


def instant_of(instant: Instant, now: datetime) -> datetime:
    """Return the instant that a flag names."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(instant.seconds(now), UTC)


def instant_text(at: datetime) -> str:
    """Return an instant as requests have it."""
    return at.isoformat(timespec="milliseconds")


def matchers_of(texts: list[str]) -> list[dict[str, Any]]:
    """Return matchers as requests have them. Raises UsageError."""
    from inferometer.core.alerts.matcher_texts import parse_matcher

    found = []
    for text in _with_names(texts):
        try:
            matcher = parse_matcher(text)
        except ValueError as error:
            raise UsageError(str(error)) from error
        found.append(
            {
                "name": matcher.name,
                "value": matcher.value,
                "isRegex": matcher.is_regex,
                "isEqual": matcher.is_equal,
            }
        )
    return found


def _with_names(texts: list[str]) -> list[str]:
    """Read a bare word as the name of an objective, as `amtool` reads it as that of an alert."""
    return [text if _OPERATOR.search(text) else f'alertname="{text}"' for text in texts]


def _list(arguments: argparse.Namespace, context: Context, client: SilenceClient) -> int:
    from inferometer.core.alerts.matcher_texts import parse_matcher

    try:
        wanted = [parse_matcher(text) for text in _with_names(arguments.matchers)]
    except ValueError as error:
        raise UsageError(str(error)) from error
    found = [
        {"kind": "silence", **each} for each in client.silences([str(each) for each in wanted])
    ]
    for window in client.windows():
        if set(wanted) <= {_matcher(each) for each in window["matchers"]}:
            found.append({"kind": "maintenance", **window})
    if not arguments.expired:
        found = [each for each in found if each["status"]["state"] != "expired"]
    if arguments.json:
        print(_dumped({"silences": found}), file=context.stdout)
        return OK
    for each in found:
        print(_line(each), file=context.stdout)
    if not found:
        print("nothing is silenced", file=context.stderr)
    return OK


def _matcher(said: dict[str, Any]) -> Matcher:
    from inferometer.core.alerts.matchers import Matcher

    return Matcher(said["name"], said["value"], said["isRegex"], said["isEqual"])


def _line(entry: dict[str, Any]) -> str:
    matchers = ",".join(str(_matcher(each)) for each in entry["matchers"])
    until = entry.get("endsAt", "")[:19] or "by schedule"
    what = entry.get("effect", "silence")
    why = (entry.get("comment") or entry.get("reason") or "")[:_COMMENT_CHARS]
    state = entry["status"]["state"]
    return f"{entry['id']}  {state:<8}{what}  {{{matchers}}}  {until}  {entry['createdBy']}: {why}"


def _expire(arguments: argparse.Namespace, context: Context, client: SilenceClient) -> int:
    from inferometer.runtime.silences import NOT_FOUND, InterfaceError

    kinds: dict[str, str] = {}
    for entry_id in arguments.ids:
        try:
            kinds[entry_id] = client.expire(entry_id)
        except InterfaceError as error:
            if error.status != NOT_FOUND:
                raise
            print(f"inferometer: {error}", file=context.stderr)
    if arguments.json:
        print(_dumped({"expired": kinds}), file=context.stdout)
    return OK if len(kinds) == len(arguments.ids) else PROBLEMS


def _dumped(value: object) -> str:
    return orjson.dumps(value).decode()
