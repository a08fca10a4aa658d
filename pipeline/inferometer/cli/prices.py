"""`inferometer prices`: imports price lists, or shows what a model costs."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from inferometer.cli.command import OK, PROBLEMS, Context, add_subcommand
from inferometer.cli.text_table import text_table

if TYPE_CHECKING:
    from inferometer.core.price_book import PriceBook
    from inferometer.core.price_import import ImportedPrices
    from inferometer.core.prices import Price

SUMMARY = "import price lists, or show what a model costs"
EXAMPLE = """
inferometer prices show --provider anthropic --model claude-sonnet-4-5
inferometer prices import prices.json --format litellm --output prices.yaml
"""
FORMATS = ("litellm", "genai-prices", "native")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COLUMNS = ("provider", "model", "unit", "usd", "per", "condition", "from", "to", "source")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags and arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="import|show")
    importer = add_subcommand(
        actions,
        "import",
        summary="read a price list, report what has no place here, write the own format",
        example="inferometer prices import prices.json --format litellm --output prices.yaml",
    )
    importer.add_argument("file", type=Path, metavar="FILE", help="JSON, or YAML when native")
    importer.add_argument("--format", required=True, choices=FORMATS, help="what FILE is")
    importer.add_argument(
        "--output", type=Path, metavar="FILE", help="write the own format, .yaml or .json"
    )
    importer.add_argument("--json", action="store_true", help="one object, for machines")
    show = add_subcommand(
        actions,
        "show",
        summary="show the prices that hold at a time, and for one model how it was found",
        example="inferometer prices show --model gpt-4o --at 2026-01-01 --json",
    )
    show.add_argument("--model", default="", help="the model as events name it")
    show.add_argument("--provider", default="", help="the provider as events name it")
    show.add_argument("--at", type=_instant, metavar="DATE", help="date or RFC 3339; default now")
    show.add_argument(
        "--overlay-file", type=Path, metavar="FILE", help="own price file over the shipped list"
    )
    show.add_argument("--json", action="store_true", help="one object, for machines")


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Do the work and return the exit code; raises ConfigError for files that do not read."""
    if arguments.action == "import":
        return _import(arguments, context)
    return _show(arguments, context)


def _import(arguments: argparse.Namespace, context: Context) -> int:
    from inferometer.prices import import_price_file, write_price_file

    found = import_price_file(arguments.file, file_format=arguments.format)
    book = found.book()
    problems = book.problems()
    for problem in problems:
        print(problem, file=context.stderr)
    if arguments.output is not None and not problems:
        write_price_file(book, arguments.output)
    if arguments.json:
        _print_json(_summary(found, book), context)
    else:
        print(
            f"{book.version}: {len(book.entries)} prices of {found.models} models",
            file=context.stdout,
        )
        for what, count in found.skipped.most_common():
            examples = ", ".join(found.examples[what])
            print(f"left out {count:>5}  {what} (in {examples})", file=context.stdout)
        if arguments.output is not None and not problems:
            print(f"written to {arguments.output}", file=context.stdout)
    return PROBLEMS if problems else OK


def _summary(found: ImportedPrices, book: PriceBook) -> dict[str, Any]:
    return {
        "price_version": book.version,
        "prices": len(book.entries),
        "models": found.models,
        "skipped": [
            {"what": what, "count": count, "examples": found.examples[what]}
            for what, count in found.skipped.most_common()
        ],
    }


def _show(arguments: argparse.Namespace, context: Context) -> int:
    from inferometer.prices import load_book

    settings = context.settings({"prices.overlay_file": arguments.overlay_file}).prices
    files = [] if settings.overlay_file is None else [settings.overlay_file]
    book = load_book(files, with_shipped=settings.source != "none")
    at = arguments.at or datetime.now(UTC)  # noqa: TID251 - the default of a command that a person runs
    at_us = (at - EPOCH) // timedelta(microseconds=1)
    prices = _selected(book, arguments.provider, arguments.model, at_us)
    rows = [_row(price) for price in prices]
    if arguments.json:
        _print_json({"price_version": book.version, "at": at.isoformat(), "prices": rows}, context)
    else:
        print(f"{book.version}, prices at {at.isoformat()}", file=context.stdout)
        _print_table(rows, context)
    if rows or not arguments.model:
        return OK
    print(
        f"no price for model {arguments.model!r} of provider {arguments.provider or 'unknown'!r}: "
        "its requests count as unpriced; add it to a price file (prices.overlay_file)",
        file=context.stderr,
    )
    return PROBLEMS


def _selected(book: PriceBook, provider: str, model: str, at_us: int) -> list[Price]:
    """Return what holds at a time: of the tariff that would price the model, or of all."""
    if model:
        tariff = book.resolve(provider, model, at_us)
        found = () if tariff is None else tariff.prices
    else:
        found = book.entries
    return [
        price
        for price in found
        if price.is_in_force(at_us) and (model or not provider or price.provider == provider)
    ]


def _row(price: Price) -> dict[str, Any]:
    from inferometer.core.price_file import price_part

    part = price_part(price)
    return {
        "provider": price.provider,
        "model": price.name or price.match.text,
        "unit": price.unit.value,
        "usd": format(price.usd, "f"),
        "per": price.per,
        "condition": part.get("condition", {}),
        "from": part.get("effective_from", ""),
        "to": part.get("effective_to", ""),
        "source": price.source,
    }


def _print_table(rows: list[dict[str, Any]], context: Context) -> None:
    cells = [COLUMNS, *(tuple(_text(row[name]) for name in COLUMNS) for row in rows)]
    print(text_table(cells), file=context.stdout)


def _text(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key}={part}" for key, part in value.items()) or "-"
    return str(value) or "-"


def _print_json(value: object, context: Context) -> None:
    print(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode(), file=context.stdout)


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no date; write 2026-01-31 or 2026-01-31T12:00:00Z"
        ) from error
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
