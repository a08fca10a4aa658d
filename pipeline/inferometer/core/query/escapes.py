r"""Names and values inside lists and filters: a backslash keeps what would part or end them.

In a value, `\,` is a comma and `\\` a backslash. A name may also hold what ends the name of a filter:
`\=`, `\!` and `\^`; only metadata keys do. Any other backslash is itself.
"""

from __future__ import annotations

import re

NAME = r"(?:\\[\\,=!^]|\\(?![\\,=!^])|[^\\=])*?"
"""The name that a filter begins with, as a regular expression."""

_IN_VALUES = re.compile(r"\\(?P<escaped>[\\,])|(?P<comma>,)|(?P<other>[^\\,]+|\\)", re.DOTALL)
_IN_NAMES = re.compile(r"\\(?P<escaped>[\\,=!^])|(?P<comma>,)|(?P<other>[^\\,]+|\\)", re.DOTALL)
_OF_NAMES = re.compile(r"([\\,=!^])")


def split_values(text: str) -> tuple[str, ...]:
    """Return the values of a list, without what escaped them, each once."""
    return _split(_IN_VALUES, text)


def split_names(text: str) -> tuple[str, ...]:
    """Return the names of a list, without what escaped them nor spaces around them, each once."""
    names = (name.strip() for name in _split(_IN_NAMES, text))
    return tuple(dict.fromkeys(name for name in names if name))


def plain_name(text: str) -> str:
    """Return a name without what escaped it."""
    return "".join(
        piece["escaped"] or piece["comma"] or piece["other"] for piece in _IN_NAMES.finditer(text)
    )


def escaped_value(value: str) -> str:
    """Return a value as a list has it."""
    return value.replace("\\", "\\\\").replace(",", "\\,")


def escaped_name(name: str) -> str:
    """Return a name as lists and filters have it."""
    return _OF_NAMES.sub(r"\\\1", name)


def _split(pieces: re.Pattern[str], text: str) -> tuple[str, ...]:
    found = [""]
    for piece in pieces.finditer(text):
        if piece["comma"]:
            found.append("")
        else:
            found[-1] += piece["escaped"] or piece["other"]
    return tuple(dict.fromkeys(found))
