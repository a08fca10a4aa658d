"""Reads the text of a statement as far as the HTTP interface must: kind, format, where data begins."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_STATEMENT_BYTES = 262_144
"""How much of a body is looked through for the end of a statement; `max_query_size` of ClickHouse."""

VALUES_FORMAT = "Values"

_LEXEMES = re.compile(
    rb"""--[^\n]*|\#[!\ ][^\n]*|/\*.*?\*/      # comments
    |'(?:[^'\\]|\\.|'')*'              # texts
    |`(?:[^`\\]|\\.|``)*`              # names in back quotes
    |"(?:[^"\\]|\\.|"")*"              # names in quotes
    |[A-Za-z_][A-Za-z0-9_]*            # words
    |[()]""",
    re.DOTALL | re.VERBOSE,
)
_KINDS_BY_WORD = {
    **dict.fromkeys(("SELECT", "WITH", "FROM"), "SELECT"),
    **dict.fromkeys(("SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN", "CHECK"), "ANSWER"),
}


class Kind(enum.Enum):
    """What a statement needs from whoever runs it."""

    SELECT = enum.auto()
    """It has rows to give, in a format, and can give them block by block."""
    ANSWER = enum.auto()
    """It has rows to give, in a format, all at once."""
    INSERT = enum.auto()
    """Its data follows the text."""
    COMMAND = enum.auto()
    """Neither: definitions, INSERT ... SELECT, SET."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement without its data."""

    kind: Kind
    text: bytes
    """All but data and, for an INSERT, its format."""
    format: str | None
    """The format named in the text; None leaves it to the request."""
    data_start: int
    """Where the data of an INSERT begins in the bytes that were parsed."""
    settings_start: int | None = None
    """Where the SETTINGS of an INSERT begin in `text`."""
    touches_files: bool = False
    """Whether it names INTO OUTFILE or FROM INFILE, which a client does and no server."""

    def from_file(self, path: str) -> bytes:
        """Return an INSERT that takes its data from a file."""
        # ClickHouse wants the file before the settings.
        end = len(self.text) if self.settings_start is None else self.settings_start
        format_name = self.format or VALUES_FORMAT
        return b"%b FROM INFILE '%b' %b FORMAT %b" % (
            self.text[:end], path.encode(), self.text[end:], format_name.encode(),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    """In capitals."""
    start: int
    end: int


def parse(whole: bytes) -> Statement:
    """Tell statement and data apart; looks at the first `MAX_STATEMENT_BYTES` only."""
    words = _words(whole[:MAX_STATEMENT_BYTES])
    first = next(words, None)
    if first is not None and first.text == "INSERT":
        return _insert(whole, words)
    rest = list(words)
    kind = Kind[_KINDS_BY_WORD.get(first.text if first else "", "COMMAND")]
    return Statement(
        kind=kind,
        text=whole,
        format=None if kind is Kind.COMMAND else _last_format(whole, rest),
        data_start=len(whole),
        touches_files=_has(rest, "INTO", "OUTFILE"),
    )


def _insert(whole: bytes, words: Iterator[_Word]) -> Statement:
    settings_start: int | None = None
    before: _Word | None = None
    for word in words:
        if before is not None and before.text == "FORMAT":
            name = whole[word.start : word.end].decode()
            return _with_data(whole, before.start, name, word.end, settings_start)
        if word.text == "VALUES":
            return _with_data(whole, word.start, VALUES_FORMAT, word.end, settings_start)
        if word.text in {"SELECT", "WITH", "FROM", "WATCH"}:
            is_file = _has([word, *words], "FROM", "INFILE")
            return Statement(Kind.COMMAND, whole, None, len(whole), touches_files=is_file)
        if word.text == "SETTINGS":
            settings_start = word.start
        before = word
    return Statement(Kind.INSERT, whole.rstrip(b"; \t\r\n"), None, len(whole), settings_start)


def _with_data(
    whole: bytes, text_end: int, format_name: str, name_end: int, settings_start: int | None
) -> Statement:
    data_start = name_end
    # As ClickHouse does it: after blanks, or after the first line break where there is one.
    if whole[data_start : data_start + 1] == b";":
        data_start += 1
    while whole[data_start : data_start + 1] in {b" ", b"\t", b"\f"}:
        data_start += 1
    if whole[data_start : data_start + 1] == b"\r":
        data_start += 1
    if whole[data_start : data_start + 1] == b"\n":
        data_start += 1
    return Statement(Kind.INSERT, whole[:text_end], format_name, data_start, settings_start)


def _words(text: bytes) -> Iterator[_Word]:
    """Yield the first word, and then those outside of brackets, quotes and comments."""
    depth = 0
    is_first = True
    for found in _LEXEMES.finditer(text):
        lexeme = found.group()
        if lexeme == b"(":
            depth += 1
        elif lexeme == b")":
            depth -= 1
        elif lexeme[:1].isalpha() or lexeme[:1] == b"_":
            if is_first or depth == 0:
                yield _Word(lexeme.decode().upper(), found.start(), found.end())
            is_first = False


def _last_format(whole: bytes, words: list[_Word]) -> str | None:
    for at in range(len(words) - 2, -1, -1):
        if words[at].text == "FORMAT":
            name = words[at + 1]
            after = words[at + 2].text if at + 2 < len(words) else "SETTINGS"
            return whole[name.start : name.end].decode() if after == "SETTINGS" else None
    return None


def _has(words: list[_Word], one: str, two: str) -> bool:
    return any((left.text, right.text) == (one, two) for left, right in pairwise(words))
