"""Joins the console's modules into one script and its styles into one sheet, without any build.

A browser asks for six files at a time, and each is a turn of the interpreter that the worker also
wants: seventy small files took longer than all answers of a page together. What is joined here is
our own code as the formatter leaves it: named imports, declarations exported one by one, no cycle,
no export that is assigned again. What does not fit that is refused, so a test meets it first.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from inferometer.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Mapping

_IMPORT = re.compile(r'^import\s*\{([^}]*)\}\s*from\s*"(\.[^"]+)";\n', re.MULTILINE)
_LAZY = re.compile(r'(?<=\(\) => )import\("(\.[^"]+)"\)(?!\.)')
"""Not those of comments, which name types."""
_EXPORT = re.compile(r"^export (async function|function|class|const) ([\w$]+)", re.MULTILINE)
_NOT_JOINED = re.compile(r"^(?:import\b(?!\()|export\b).*", re.MULTILINE)
_ADDRESS = "import.meta.url"
_SHEET = re.compile(r'^@import "([^"]+)";\n', re.MULTILINE)


class UnjoinableError(PipelineError):
    """A file of the console that cannot be joined with the others; says which and why."""


def joined_script(entry: str, texts: Mapping[str, str]) -> tuple[str, frozenset[str]]:
    """Return a module with all that it imports inside, and the paths of what went into it.

    `texts` are the modules by path. Each becomes a function that runs once, in the order in which
    a browser would run them; a lazy import becomes a promise of what ran already.
    """
    if not _IMPORT.search(texts[entry]):
        return texts[entry], frozenset({entry})
    order: list[str] = []
    _visit(entry, texts, order, ())
    # What is loaded later may import what loads it: it only has to be there by then.
    for path in order:
        for name in _LAZY.findall(texts[path]):
            _visit(_place(path, name, texts), texts, order, ())
    numbers = {path: number for number, path in enumerate(order)}
    pieces = [_piece(path, texts, numbers) for path in order]
    return "\n".join(pieces), frozenset(order)


def joined_sheet(entry: str, texts: Mapping[str, str]) -> tuple[str, frozenset[str]]:
    """Return a sheet with those that it imports in their places, and the paths of all of them."""
    taken = {entry}

    def put(match: re.Match[str]) -> str:
        path = _place(entry, match[1], texts)
        if "@import" in texts[path] or "url(" in texts[path]:
            raise UnjoinableError(f"{path}: a sheet that is imported may name no other file")
        taken.add(path)
        return texts[path]

    return _SHEET.sub(put, texts[entry]), frozenset(taken)


def _visit(path: str, texts: Mapping[str, str], order: list[str], parents: tuple[str, ...]) -> None:
    if path in order:
        return
    if path in parents:
        raise UnjoinableError(f"{path} imports itself by way of {', '.join(parents)}")
    for _, name in _IMPORT.findall(texts[path]):
        _visit(_place(path, name, texts), texts, order, (*parents, path))
    order.append(path)


def _place(path: str, name: str, texts: Mapping[str, str]) -> str:
    place = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
    if place not in texts:
        raise UnjoinableError(f"{path} imports {name}, which is not there")
    return place


def _piece(path: str, texts: Mapping[str, str], numbers: Mapping[str, int]) -> str:
    def taken(match: re.Match[str]) -> str:
        names = " ".join(match[1].split())
        if " as " in names:
            raise UnjoinableError(f"{path}: import {names}: use the name that it has")
        return f"const {{ {names} }} = $m{numbers[_place(path, match[2], texts)]};\n"

    def later(match: re.Match[str]) -> str:
        return f"Promise.resolve().then(() => $m{numbers[_place(path, match[1], texts)]})"

    text = texts[path]
    exported = [name for _, name in _EXPORT.findall(text)]
    body = _LAZY.sub(later, _EXPORT.sub(r"\1 \2", _IMPORT.sub(taken, text)))
    other = _NOT_JOINED.search(body)
    if other is not None:
        raise UnjoinableError(f"{path}: {other[0]!r} is no import or export that can be joined")
    body = body.replace(_ADDRESS, f'new URL("./{path}", {_ADDRESS}).href')
    given = ", ".join(exported)
    name = f"$m{numbers[path]}"
    return f"// {path}\nconst {name} = (() => {{\n{body}return {{ {given} }};\n}})();"
