"""`inferometer alerts backtest`: what the rules of SLO files would have done on stored history."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from inferometer.cli.command import OK, PROBLEMS, add_subcommand
from inferometer.cli.instants import INSTANT_HELP, Instant
from inferometer.cli.store_flags import add_store_flags, chosen_store

if TYPE_CHECKING:
    import argparse
    from typing import TextIO

    from inferometer.cli.command import Context

EXAMPLE = "inferometer alerts backtest --slo slos/ --store http://localhost:8123 --from 7d"


def add_backtest(subcommands: argparse._SubParsersAction[Any]) -> None:
    """Declare the subcommand."""
    parser = add_subcommand(
        subcommands,
        "backtest",
        summary="say what the rules of SLO files would have done on stored history",
        example=EXAMPLE,
    )
    parser.add_argument(
        "--slo", dest="files", metavar="PATH", type=Path, nargs="+", required=True,
        help="files, or folders of them",
    )  # fmt: skip
    add_store_flags(parser)
    parser.add_argument(
        "--from", dest="since", metavar="T", type=Instant,
        help=f"event time: {INSTANT_HELP}; default: where the log begins",
    )  # fmt: skip
    parser.add_argument("--to", dest="until", metavar="T", type=Instant, help="default: now")
    parser.add_argument(
        "--maintenance", metavar="FILE", type=Path,
        help="windows whose events do not count: what `silence list --expired --json` printed",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one object, for machines")


def run_backtest(arguments: argparse.Namespace, context: Context) -> int:
    """Back-test; exit 1 where a file has problems, which are shown, and the rest is done."""
    from inferometer.cli.progress import Progress
    from inferometer.runtime.backtest import run_backtest as backtest
    from inferometer.runtime.clock import now

    at = now()
    found = backtest(
        chosen_store(arguments, context),
        arguments.files,
        since=_instant(arguments.since, at),
        until=_instant(arguments.until, at) or at,
        progress=Progress(context.stderr),
        maintenance=arguments.maintenance,
    )
    for problem in found["problems"]:
        print(f"problem  {problem}", file=context.stderr)
    if arguments.json:
        print(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode(), file=context.stdout)
    else:
        _print(found, context.stdout)
    return PROBLEMS if found["problems"] else OK


def _instant(given: Instant | None, now: datetime) -> datetime | None:
    return None if given is None else datetime.fromtimestamp(given.seconds(now), UTC)


def _print(found: dict[str, Any], out: TextIO) -> None:
    begins, until = (found[end].astimezone(UTC) for end in ("from", "to"))
    print(f"from {begins:%Y-%m-%d %H:%M:%SZ} to {until:%Y-%m-%d %H:%M:%SZ}", file=out)
    print("windows fill from the beginning on; silences do not count", file=out)
    for one in found["slos"]:
        incidents = one["incidents"]
        pages = sum(incident["severity"] == "page" for incident in incidents)
        print(
            f"{one['slo']}: {one['requests']} requests, {one['failures']} bad, "
            f"{one['groups']} groups, {len(incidents)} incidents, {pages} of them pages",
            file=out,
        )
        for incident in incidents:
            print(f"  {_line(incident)}", file=out)


def _line(one: dict[str, Any]) -> str:
    resolved_s = one["resolved_at_s"]
    ended = "open" if resolved_s is None else f"{resolved_s - one['starts_at_s']} s"
    labels = " ".join(
        f"{name}={value}"
        for name, value in sorted(one["labels"].items())
        if value and name != "slo"
    )
    detected = datetime.fromtimestamp(one["detected_at_s"], UTC)
    return (
        f"{one['severity']:<6}  {detected:%Y-%m-%d %H:%M:%SZ}  {ended:>8}  "
        f"{'+'.join(one['rules'])}  burn {one['peak_burn']:.3g}  notices {one['notices']}  {labels}"
    )
