"""`inferometer sql`: asks the store one read-only question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferometer.cli.command import OK, UsageError
from inferometer.cli.store_flags import add_store_flags, chosen_store

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from typing import TextIO

    from inferometer.cli.command import Context

SUMMARY = "ask the store one read-only question in SQL"
EXAMPLE = """
inferometer sql "SELECT model, rps, success_ratio, ttft_p99_ms FROM model_1m" --data ./data
inferometer sql "SELECT * FROM freshness" --store http://localhost:8123 --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags and arguments."""
    parser.add_argument("query", metavar="SELECT", help="the question; - reads it from stdin")
    add_store_flags(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="an array of one object a row")
    form.add_argument("--csv", action="store_true", help="CSV with a line of names")


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Do the work and return the exit code."""
    from inferometer.clickhouse.answers import Format
    from inferometer.clickhouse.asking import ask_store

    query = context.stdin.read() if arguments.query == "-" else arguments.query
    if not query.strip():
        raise UsageError('the query is empty; try: inferometer sql "SHOW TABLES" --data DIR')
    form = Format.JSON if arguments.json else Format.CSV if arguments.csv else Format.TABLE
    _write(context.stdout, ask_store(chosen_store(arguments, context), query, form))
    return OK


def _write(stdout: TextIO, pieces: Iterator[bytes]) -> None:
    from codecs import getincrementaldecoder

    # A piece may end inside a character; bytes of the store that are no UTF-8 stay visible.
    decoder = getincrementaldecoder("utf-8")("backslashreplace")
    for piece in pieces:
        stdout.write(decoder.decode(piece))
    stdout.write(decoder.decode(b"", final=True))
    stdout.flush()
