"""`inferometer dead-letters`: shows the events that the door refused, and sends them again."""

from __future__ import annotations

import argparse
import base64
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson

from inferometer.cli.command import OK, PROBLEMS, UsageError, add_subcommand
from inferometer.cli.instants import INSTANT_HELP, Instant
from inferometer.cli.store_flags import add_store_flags, chosen_store

if TYPE_CHECKING:
    from inferometer.cli.command import Context
    from inferometer.core.redrive import Changes, DeadLetterRow, LetterFilter
    from inferometer.core.redrive_fates import Redriven

SUMMARY = "list, show and send again the events that were refused"
EXAMPLE = """
inferometer dead-letters list --store http://localhost:8123 --from 6h
inferometer dead-letters show 3:1042 --store http://localhost:8123
inferometer dead-letters redrive --reason wrong_type --unset batch_size_at_start --kafka localhost:9092 --store http://localhost:8123
"""
DEFAULT_LIMIT = 50
DETAIL_CHARS = 80
QUIET_LOG_LEVEL = "warning"
_US_PER_S = 1_000_000


class Place:
    """PARTITION:OFFSET or PARTITION:OFFSET:INDEX; made from text by `argparse`."""

    def __init__(self, text: str) -> None:
        """Read the text. Raises argparse.ArgumentTypeError."""
        parts = text.split(":")
        if len(parts) not in {2, 3} or not all(part.isascii() and part.isdigit() for part in parts):
            raise argparse.ArgumentTypeError(
                f"{text!r} is no place; give PARTITION:OFFSET or PARTITION:OFFSET:INDEX"
            )
        partition, offset, *index = map(int, parts)
        self.key: tuple[int, int, int | None] = (partition, offset, index[0] if index else None)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands."""
    subcommands = parser.add_subparsers(dest="action", required=True)
    listing = add_subcommand(
        subcommands,
        "list",
        summary="list dead letters and count them by reason",
        example="inferometer dead-letters list --reason invalid_json --from 1d --data ./data",
    )
    _add_filter(listing)
    listing.add_argument(
        "--limit", type=int, metavar="N", default=DEFAULT_LIMIT, help="letters at most; default 50"
    )
    listing.add_argument("--json", action="store_true", help="one object, for machines")
    showing = add_subcommand(
        subcommands,
        "show",
        summary="show one dead letter: reason, detail and bytes",
        example="inferometer dead-letters show 3:1042 --data ./data",
    )
    showing.add_argument(
        "place", metavar="PARTITION:OFFSET[:INDEX]", type=Place, help="as list names it"
    )
    add_store_flags(showing)
    showing.add_argument("--json", action="store_true", help="one object, for machines")
    _add_redrive(subcommands)


def _add_redrive(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = add_subcommand(
        subcommands,
        "redrive",
        summary="send dead letters to their partitions again, each of them counted once, "
        "however often or far this ran before; letters that were sent already are skipped",
        example="inferometer dead-letters redrive --reason wrong_type --set status_code=200 "
        "--dry-run --kafka localhost:9092 --store http://localhost:8123",
    )
    parser.add_argument(
        "--kafka", metavar="HOST:PORT", help="the broker; default: setting kafka.bootstrap_servers"
    )
    _add_filter(parser)
    parser.add_argument(
        "--limit",
        type=int,
        metavar="N",
        help="letters at most, those that were sent already not counted; default all",
    )
    parser.add_argument("--all", action="store_true", help="every letter; instead of a filter")
    parser.add_argument(
        "--set",
        metavar="FIELD=VALUE",
        action="append",
        default=[],
        help="set a field of each event; the value is JSON, all else a text",
    )
    parser.add_argument(
        "--unset", metavar="FIELD", action="append", default=[], help="leave out a field"
    )
    parser.add_argument("--dry-run", action="store_true", help="send nothing; say what would be")
    parser.add_argument("--again", action="store_true", help="also letters that were sent already")
    parser.add_argument(
        "--force", action="store_true", help="also events that would be refused again"
    )
    parser.add_argument("--json", action="store_true", help="one object, for machines")


def _add_filter(parser: argparse.ArgumentParser) -> None:
    add_store_flags(parser)
    parser.add_argument(
        "--reason", action="append", default=[], metavar="R", help="of this reason; repeatable"
    )
    parser.add_argument(
        "--partition", action="append", default=[], type=int, metavar="N", help="repeatable"
    )
    parser.add_argument(
        "--at",
        action="append",
        default=[],
        type=Place,
        metavar="PARTITION:OFFSET[:INDEX]",
        help="this one; repeatable",
    )
    parser.add_argument(
        "--from", dest="since", metavar="T", type=Instant, help=f"refused since: {INSTANT_HELP}"
    )
    parser.add_argument(
        "--to", dest="until", metavar="T", type=Instant, help="refused before; as --from"
    )


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Do what the subcommand says; exit 1 where a letter was left behind."""
    actions = {"list": _list, "show": _show, "redrive": _redrive}
    return actions[arguments.action](arguments, context)


def _filter(arguments: argparse.Namespace, context: Context) -> LetterFilter:
    from inferometer.core.redrive import LetterFilter
    from inferometer.runtime.clock import now

    at = now()
    from_s, to_s = (
        None if one is None else one.seconds(at) for one in (arguments.since, arguments.until)
    )
    if from_s is not None and to_s is not None and to_s <= from_s:
        raise UsageError("--to lies before --from, so no letter is between them")
    return LetterFilter(
        topic=context.settings({}).kafka.requests_topic,
        reasons=tuple(arguments.reason),
        partitions=tuple(arguments.partition),
        places=tuple(place.key for place in arguments.at),
        from_us=None if from_s is None else from_s * _US_PER_S,
        to_us=None if to_s is None else to_s * _US_PER_S,
        limit=arguments.limit,
    )


def _list(arguments: argparse.Namespace, context: Context) -> int:
    from inferometer.runtime.dead_letters import opened_letters

    wanted = _filter(arguments, context)
    with opened_letters(chosen_store(arguments, context)) as store:
        counts = store.counts(wanted)
        letters = list(store.letters(wanted))
    if arguments.json:
        said = {"total": sum(counts.values()), "by_reason": counts}
        found = [_as_dict(letter) for letter in letters]
        print(orjson.dumps({**said, "letters": found}).decode(), file=context.stdout)
        return OK
    for letter in letters:
        print(_line(letter), file=context.stdout)
    for reason, count in counts.items():
        print(f"{count:>8}  {reason}", file=context.stdout)
    print(f"{sum(counts.values()):>8}  letters, {len(letters)} shown", file=context.stdout)
    return OK


def _show(arguments: argparse.Namespace, context: Context) -> int:
    from inferometer.core.redrive import LetterFilter
    from inferometer.runtime.dead_letters import opened_letters

    wanted = LetterFilter(
        topic=context.settings({}).kafka.requests_topic, places=(arguments.place.key,)
    )
    with opened_letters(chosen_store(arguments, context)) as store:
        letters = list(store.letters(wanted))
        values = store.values([letter.place for letter in letters])
    if arguments.json:
        said = [_as_dict(letter) | _value(values[letter.place]) for letter in letters]
        print(orjson.dumps({"letters": said}).decode(), file=context.stdout)
    for letter in () if arguments.json else letters:
        for name, value in _as_dict(letter).items():
            print(f"{name:<13}{value}", file=context.stdout)
        print(f"\n{_pretty(values[letter.place])}", file=context.stdout)
    if not letters:
        print(
            "no such dead letter; inferometer dead-letters list names those that are kept",
            file=context.stderr,
        )
    return OK if letters else PROBLEMS


def _redrive(arguments: argparse.Namespace, context: Context) -> int:
    from inferometer.cli.progress import Progress
    from inferometer.core.redrive_fates import RedriveOptions
    from inferometer.runtime.dead_letters import run_redrive

    wanted = _filter(arguments, context)
    if wanted.is_narrow == arguments.all:
        raise UsageError(
            "which letters? give a filter such as --reason, --at or --from, or --all without one"
        )
    options = RedriveOptions(
        changes=_changes(arguments),
        again=arguments.again,
        force=arguments.force,
        dry_run=arguments.dry_run,
    )
    outcomes: list[dict[str, Any]] = []
    progress, so_far = Progress(context.stderr), Counter[str]()

    def report(outcome: Redriven) -> None:
        so_far[outcome.fate.value] += 1
        progress(_counted(so_far))
        if arguments.json:
            outcomes.append(_outcome(outcome))
        elif outcome.detail:
            print(f"{outcome.letter.place}  {outcome.fate}  {outcome.detail}", file=context.stdout)

    totals = run_redrive(
        context.settings({"kafka.bootstrap_servers": arguments.kafka}),
        chosen_store(arguments, context),
        wanted,
        options,
        report,
    )
    if arguments.json:
        print(orjson.dumps({"counts": so_far, "letters": outcomes}).decode(), file=context.stdout)
    else:
        print(_counted(so_far) or "no letter matches", file=context.stdout)
    return OK if totals.is_ok else PROBLEMS


def _counted(fates: Counter[str]) -> str:
    return "  ".join(f"{name} {count}" for name, count in sorted(fates.items()))


def _changes(arguments: argparse.Namespace) -> Changes:
    from inferometer.core.redrive import Changes, value_text

    given: dict[str, str] = {}
    for item in arguments.set:
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise UsageError(f"--set {item}: give FIELD=VALUE")
        given[name] = value_text(value)
    if "event_id" in given and not _is_one_event(arguments.at):
        raise UsageError(
            "--set event_id makes all letters one event, which counts once; name the one with "
            "--at PARTITION:OFFSET:INDEX, or give each an id of its own with --unset event_id"
        )
    return Changes(given, frozenset(arguments.unset))


def _is_one_event(places: list[Place]) -> bool:
    return len(places) == 1 and places[0].key[2] is not None


def _as_dict(letter: DeadLetterRow) -> dict[str, Any]:
    from datetime import UTC, datetime

    decided_at = datetime.fromtimestamp(letter.decided_at_us / _US_PER_S, UTC)
    return {
        "place": str(letter.place),
        "reason": letter.reason,
        "detail": letter.detail,
        "decided_at": decided_at.isoformat(),
        "topic": letter.place.topic,
        "partition": letter.place.partition,
        "offset": letter.place.offset,
        "index": letter.place.index,
        "stream_id": letter.place.stream_id,
        "content_type": letter.content_type,
        "bytes": letter.size,
        "redriven": letter.redriven or "no",
    }


def _outcome(outcome: Redriven) -> dict[str, Any]:
    return {
        "place": str(outcome.letter.place),
        "reason": outcome.letter.reason,
        "fate": outcome.fate.value,
        "event_id": outcome.event_id,
        "detail": outcome.detail,
    }


def _line(letter: DeadLetterRow) -> str:
    said = _as_dict(letter)
    detail = letter.detail[:DETAIL_CHARS]
    again = "" if letter.redriven == "" else f"  redrive {letter.redriven}"
    return f"{said['decided_at'][:19]}  {letter.place}  {letter.reason}  {detail}{again}"


def _value(value: bytes) -> dict[str, str]:
    return {
        "value": value.decode("utf-8", "backslashreplace"),
        "value_base64": base64.b64encode(value).decode(),
    }


def _pretty(value: bytes) -> str:
    """Return bytes as indented JSON where they are some, else as text with escapes."""
    try:
        return json.dumps(json.loads(value), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return value.decode("utf-8", "backslashreplace")
