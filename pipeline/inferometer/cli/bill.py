"""`inferometer bill`: imports what providers bill, shows it beside prices, and takes it away."""

from __future__ import annotations

import argparse
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from inferometer.cli.command import OK, PROBLEMS, UsageError, add_subcommand
from inferometer.cli.instants import INSTANT_HELP, Instant
from inferometer.cli.store_flags import add_store_flags, chosen_store
from inferometer.cli.text_table import text_table
from inferometer.errors import PipelineError

if TYPE_CHECKING:
    from inferometer.cli.command import Context
    from inferometer.core.bills import Bill, StoredBill

SUMMARY = "import or remove providers' bills, and show them beside what prices said"
EXAMPLE = """
inferometer bill import may.csv --provider openai --store http://localhost:8123
inferometer bill list --from 2026-05-01 --to 2026-06-01 --store http://localhost:8123
inferometer bill remove may.csv --store http://localhost:8123
"""
QUIET_LOG_LEVEL = "warning"
LISTED_DAYS = 31
MAX_SOURCE_CHARS = 256
SHOWN_SOURCES = 20
"""Names in an error; more of them would hide it."""
COLUMNS = (
    "day", "provider", "priced_usd", "billed_usd", "difference_usd", "difference_ratio",
    "unpriced_requests", "partially_priced_requests",
)  # fmt: skip
LEFT_COLUMNS = 2
"""Texts; what follows are numbers, which end at one column."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="import|list|remove")
    _add_import(actions)
    _add_remove(actions)
    listing = add_subcommand(
        actions,
        "list",
        summary="show by UTC day and provider what was priced and what was billed, in US dollars; "
        "a dash is what is not known, such as a bill that has not come",
        example="inferometer bill list --from 2026-05-01 --to 2026-06-01 --data ./data",
    )
    add_store_flags(listing)
    listing.add_argument(
        "--from",
        dest="since",
        metavar="T",
        type=Instant,
        default=Instant(f"{LISTED_DAYS}d"),
        help=f"whole UTC days since: {INSTANT_HELP}; default {LISTED_DAYS}d ago",
    )
    listing.add_argument(
        "--to", dest="until", metavar="T", type=Instant, help="days before; default now"
    )
    listing.add_argument("--json", action="store_true", help="one object, for machines")


def _add_import(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    importer = add_subcommand(
        actions,
        "import",
        summary="store a bill: CSV with a line of names, columns day (UTC, 2026-05-31), provider "
        "(as events name it), model (optional), amount_usd (US dollars, 1234.56; below zero for a "
        "credit), currency (optional, USD only); a file with a problem is not stored at all, and "
        "the same file again takes the place of the one before",
        example="inferometer bill import may.csv --provider openai --data ./data",
    )
    importer.add_argument("file", type=Path, metavar="FILE.csv", help="the bill, in UTF-8")
    importer.add_argument(
        "--provider", default="", metavar="NAME", help="provider of lines that name none"
    )
    importer.add_argument(
        "--source",
        default="",
        metavar="NAME",
        help="what the bill is stored as: it takes the place of one of that name; default: the "
        "file's name, without its folder",
    )
    importer.add_argument(
        "--dry-run", action="store_true", help="read and say; needs no store and stores nothing"
    )
    add_store_flags(importer)
    importer.add_argument("--json", action="store_true", help="one object, for machines")


def _add_remove(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    remover = add_subcommand(
        actions,
        "remove",
        summary="take away a bill that was imported by mistake, all of it or, where that fails, "
        "nothing; only who may write to the store can",
        example="inferometer bill remove may.csv --dry-run --data ./data",
    )
    remover.add_argument(
        "source", metavar="NAME", help="what it is stored as: the file's name, or its --source"
    )
    remover.add_argument("--dry-run", action="store_true", help="say what would go; keep it")
    add_store_flags(remover)
    remover.add_argument("--json", action="store_true", help="one object, for machines")


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Do what the subcommand says; exit 1 where a file has a problem, or no bill has the name."""
    act = {"import": _import, "list": _list, "remove": _remove}
    return act[arguments.action](arguments, context)


def _import(arguments: argparse.Namespace, context: Context) -> int:
    from inferometer.core.bills import read_bill
    from inferometer.runtime.bills import opened_bills
    from inferometer.runtime.clock import now

    at = now()
    source = arguments.source or arguments.file.name
    if len(source) > MAX_SOURCE_CHARS:
        raise UsageError(f"--source may have {MAX_SOURCE_CHARS} characters; give a shorter one")
    bill = read_bill(_text(arguments.file), today=at.date(), provider=arguments.provider)
    for problem in bill.problems:
        print(f"{arguments.file}: {problem}", file=context.stderr)
    if bill.problems:
        print(f"{len(bill.problems)} problems; nothing was stored", file=context.stderr)
        return PROBLEMS
    said = _summary(source, bill)
    if not arguments.dry_run:
        with opened_bills(chosen_store(arguments, context)) as (bills, store):
            said["replaced"] = bills.replace(source, bill.amounts_usd, at)
            rows = store.reconciliation(said["first_day"], said["last_day"])
        for provider in _unused(bill, rows):
            print(
                f"no request of provider {provider!r} is kept of these days; a bill is compared "
                "with requests of the same provider, spelt as events spell it",
                file=context.stderr,
            )
    if arguments.json:
        _print_json(said, context)
    else:
        print(_line(said), file=context.stdout)
    return OK


def _text(file: Path) -> str:
    try:
        # Spreadsheets begin their files with a mark of the byte order.
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise PipelineError(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PipelineError(
            f"{file} is not UTF-8 at byte {error.start}; save it as UTF-8"
        ) from error


def _summary(source: str, bill: Bill) -> dict[str, Any]:
    days = [key.day for key in bill.amounts_usd]
    return {
        "source": source,
        "lines": bill.lines,
        "amounts": len(bill.amounts_usd),
        "providers": sorted({key.provider for key in bill.amounts_usd}),
        "first_day": min(days),
        "last_day": max(days),
        "total_usd": bill.total_usd,
        "replaced": None,
    }


def _unused(bill: Bill, rows: list[dict[str, Any]]) -> list[str]:
    used = {row["provider"] for row in rows if row["attempts"]}
    return sorted({key.provider for key in bill.amounts_usd} - used)


def _line(said: dict[str, Any]) -> str:
    what = (
        f"{said['source']}: {said['lines']} lines of {', '.join(said['providers'])}, "
        f"{said['first_day']} to {said['last_day']}, {_usd(said['total_usd'])} USD"
    )
    if said["replaced"] is None:
        return f"{what}; nothing was stored"
    place = f"in place of {said['replaced']} amounts of before" if said["replaced"] else "stored"
    return f"{what}; {place}"


def _remove(arguments: argparse.Namespace, context: Context) -> int:
    from inferometer.runtime.bills import opened_bills

    with opened_bills(chosen_store(arguments, context)) as (bills, _):
        stored = {bill.source: bill for bill in bills.stored()}
        found = stored.get(arguments.source)
        if found is None:
            print(_unknown(arguments.source, list(stored)), file=context.stderr)
            return PROBLEMS
        if not arguments.dry_run:
            bills.remove(found)
    if arguments.json:
        _print_json({**_facts(found), "is_removed": not arguments.dry_run}, context)
    else:
        what = (
            f"{found.source}: {found.amounts} amounts of {', '.join(found.providers)}, "
            f"{found.first_day} to {found.last_day}, {_usd(found.total_usd)} USD"
        )
        done = "nothing was removed" if arguments.dry_run else "removed"
        print(f"{what}; {done}", file=context.stdout)
    return OK


def _unknown(source: str, stored: list[str]) -> str:
    shown = ", ".join(map(repr, stored[:SHOWN_SOURCES]))
    more = f" and {len(stored) - SHOWN_SOURCES} more" if len(stored) > SHOWN_SOURCES else ""
    there = f"there are {shown}{more}" if stored else "none is"
    return f"no bill is stored as {source!r}; {there}"


def _facts(bill: StoredBill) -> dict[str, Any]:
    return {
        "source": bill.source,
        "amounts": bill.amounts,
        "providers": bill.providers,
        "first_day": bill.first_day,
        "last_day": bill.last_day,
        "total_usd": bill.total_usd,
        "imported_at": bill.imported_at,
    }


def _list(arguments: argparse.Namespace, context: Context) -> int:
    from inferometer.runtime.bills import opened_bills
    from inferometer.runtime.clock import now

    at = now()
    since_s = arguments.since.seconds(at)
    until_s = at.timestamp() if arguments.until is None else arguments.until.seconds(at)
    if until_s <= since_s:
        raise UsageError("--to is not after --from; give an earlier --from")
    first_day, last_day = _day(since_s), _day(until_s - 1)
    with opened_bills(chosen_store(arguments, context)) as (_, store):
        rows = store.reconciliation(first_day, last_day)
    if arguments.json:
        _print_json({"first_day": first_day, "last_day": last_day, "days": rows}, context)
        return OK
    _print_table(rows, context)
    if not any(row["billed_usd"] is not None for row in rows):
        print(
            "no bill of these days is stored; inferometer bill import --help says how",
            file=context.stderr,
        )
    return OK


def _day(at_s: float) -> date:
    return date(1970, 1, 1) + timedelta(seconds=int(at_s))


def _print_table(rows: list[dict[str, Any]], context: Context) -> None:
    cells = [COLUMNS, *(tuple(_cell(name, row[name]) for name in COLUMNS) for row in rows)]
    print(text_table(cells, left_columns=LEFT_COLUMNS), file=context.stdout)


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if name.endswith("_usd"):
        return _usd(value)
    if name == "difference_ratio":
        return f"{value:+.4f}"
    return str(value) or "-"


def _usd(amount: Any) -> str:
    return f"{amount:.6f}"


def _print_json(value: object, context: Context) -> None:
    # Money as a text keeps every digit.
    print(
        orjson.dumps(value, default=_exact, option=orjson.OPT_INDENT_2).decode(),
        file=context.stdout,
    )


def _exact(value: Any) -> str:
    return format(value, "f")
