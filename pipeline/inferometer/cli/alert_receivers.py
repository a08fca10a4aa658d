"""Actions of `inferometer alerts` on receivers: try them, and send notices again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from inferometer.cli.command import OK, PROBLEMS, UsageError, add_subcommand
from inferometer.cli.text_table import text_table
from inferometer.core.alerts.payload import instant

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from inferometer.cli.command import Context
    from inferometer.config import Settings
    from inferometer.core.alerts.ledger import LedgerEntry

ACTIONS = frozenset({"test", "redeliver"})
SHOWN_REASON = 60


def add_actions(
    subcommands: argparse._SubParsersAction[argparse.ArgumentParser],
    add_flags: Callable[[argparse.ArgumentParser], None],
) -> None:
    """Declare the actions."""
    trying = add_subcommand(
        subcommands,
        "test",
        summary="send receivers a notice that says it is a test",
        example="inferometer alerts test oncall --receivers receivers.yaml",
    )
    trying.add_argument("receiver", nargs="*", metavar="RECEIVER", help="default: every receiver")
    again = add_subcommand(
        subcommands,
        "redeliver",
        summary="list notices that were given up, or send them again",
        example="inferometer alerts redeliver --kafka localhost:9092\n"
        "inferometer alerts redeliver --all --kafka localhost:9092",
    )
    again.add_argument("id", nargs="*", metavar="ID", help="notification ids; none: list")
    again.add_argument("--all", action="store_true", help="all that were given up")
    for parser in (trying, again):
        add_flags(parser)
        parser.add_argument("--json", action="store_true", help="JSON instead of a table")


def run_action(arguments: argparse.Namespace, context: Context, settings: Settings) -> int:
    """Do what one of the actions asks for."""
    if arguments.action == "test":
        return _test(arguments, context, settings)
    return _redeliver(arguments, context, settings)


def _test(arguments: argparse.Namespace, context: Context, settings: Settings) -> int:
    from inferometer.runtime.receiver_trials import try_receivers

    trials = try_receivers(settings, context.environ, arguments.receiver)
    rows: list[dict[str, Any]] = [
        {
            "receiver": trial.receiver,
            "result": "ok" if trial.is_good else "failed",
            "said": trial.said,
            "took_ms": trial.took_ms,
        }
        for trial in trials
    ]
    _print(rows, arguments, context)
    return OK if all(trial.is_good for trial in trials) else PROBLEMS


def _redeliver(arguments: argparse.Namespace, context: Context, settings: Settings) -> int:
    from inferometer.runtime.receiver_trials import dead_letters, redeliver

    if arguments.all and arguments.id:
        raise UsageError("give ids or --all, not both")
    if not arguments.all and not arguments.id:
        _print([_row(entry) for entry in dead_letters(settings)], arguments, context)
        return OK
    found = redeliver(settings, arguments.id)
    _print([{"id": id_, "result": "asked for"} for id_ in found], arguments, context)
    missing = sorted(set(arguments.id) - set(found))
    for id_ in missing:
        print(f"{id_}: not in the ledger, or still under way", file=context.stderr)
    return PROBLEMS if missing else OK


def _row(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "id": entry.notification_id,
        "receiver": entry.notice.receiver,
        "type": entry.notice.type,
        "incident": entry.notice.incident_id,
        "given_up_at": instant(entry.final_at_us // 1_000_000 * 1_000_000),
        "attempts": entry.attempts,
        "reason": entry.reason[:SHOWN_REASON],
    }


def _print(rows: list[dict[str, Any]], arguments: argparse.Namespace, context: Context) -> None:
    if arguments.json:
        print(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode(), file=context.stdout)
        return
    if not rows:
        print("none", file=context.stdout)
        return
    table = [
        [str(name) for name in rows[0]],
        *([str(value) for value in row.values()] for row in rows),
    ]
    print(text_table(table), file=context.stdout)
