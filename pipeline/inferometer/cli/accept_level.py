"""`inferometer alerts accept`: take the level of a learnt band as the new normal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from inferometer.cli.command import OK, add_subcommand
from inferometer.cli.instants import INSTANT_HELP, Instant
from inferometer.cli.silence import (
    MATCHER_HELP,
    add_place,
    add_reason,
    author_of,
    client_of,
    instant_of,
    instant_text,
    matchers_of,
)

if TYPE_CHECKING:
    import argparse

    from inferometer.cli.command import Context


def add_accept(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the action."""
    parser = add_subcommand(
        subcommands,
        "accept",
        summary="take the level that a learnt band fires at as the new normal; prints its id",
        example="inferometer alerts accept ttft-unusual model=m-large "
        '--comment "new hardware"\n'
        "inferometer alerts accept unit-cost-unusual --since 2026-01-31T08:00 "
        '--comment "new prices"',
    )
    parser.add_argument("matchers", metavar="MATCHER", nargs="+", help=MATCHER_HELP)
    parser.add_argument(
        "--since",
        metavar="T",
        type=Instant,
        help=f"when the level began; default: when its band began to fire; {INSTANT_HELP}",
    )
    add_reason(parser)
    add_place(parser)


def run_accept(arguments: argparse.Namespace, context: Context) -> int:
    """Have the alerts take the level; say which of them end by it."""
    from inferometer.runtime.clock import now

    said: dict[str, Any] = {
        "matchers": matchers_of(arguments.matchers),
        "createdBy": author_of(arguments, context),
        "comment": arguments.comment,
    }
    if arguments.since is not None:
        said["since"] = instant_text(instant_of(arguments.since, now()))
    stored = client_of(arguments, context).accept(said)
    if arguments.json:
        print(orjson.dumps(stored).decode(), file=context.stdout)
        return OK
    print(stored["id"], file=context.stdout)
    for labels in stored["alerts"]:
        about = " ".join(f"{name}={value}" for name, value in sorted(labels.items()) if value)
        print(f"ends within a minute or two, after its hold: {about}", file=context.stderr)
    if not stored["alerts"] and arguments.since is None:
        print(
            "no learnt band fires with these labels now, so nothing changes; "
            "`inferometer alerts status` shows what fires",
            file=context.stderr,
        )
    return OK
