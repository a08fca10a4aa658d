"""Values of settings: from the text of a variable, or the types of a TOML file, to Python."""

from __future__ import annotations

import contextlib
import math
import types
import typing
from pathlib import Path

from inferometer.config.area import Area
from inferometer.core.secret import Secret

TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off"})


def setting_types(area: type[Area]) -> dict[str, type]:
    """Return the type of each setting of an area; one that may be absent has its own type."""
    hints = typing.get_type_hints(area)
    return {
        key: _without_none(hint)
        for key, hint in hints.items()
        if typing.get_origin(hint) is not typing.ClassVar
    }


def parse(raw: object, kind: type) -> object:
    """Return a value of the type of its setting.

    Text is read, so that variables and flags can be given; other types must fit as they are.
    Raises ValueError that says what is expected; it never repeats a secret.
    """
    if kind is Secret:
        return _parse_secret(raw)
    if kind is Path and isinstance(raw, str | Path) and str(raw):
        return Path(raw)
    if kind is str and isinstance(raw, str):
        return raw
    if kind is bool:
        return _parse_bool(raw)
    if kind in {int, float}:
        return _parse_number(raw, kind)
    raise ValueError(f"is {raw!r}, must be {EXPECTED[kind]}")


def secret_of_file(raw: object) -> Secret:
    """Return the secret that a file holds: its text without the line end.

    Raises ValueError that says why it cannot be read.
    """
    path = parse(raw, Path)
    if not isinstance(path, Path):
        raise ValueError(f"is {raw!r}, must be {EXPECTED[Path]}")  # noqa: TRY004 - collected as such
    try:
        text = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        raise ValueError(f"{path} cannot be read ({reason})") from error
    if not text:
        raise ValueError(f"{path} is empty; it should hold the secret")
    return Secret(text)


EXPECTED = {
    Path: "the path of a file or folder",
    str: "text",
    bool: "true or false (also yes, no, on, off, 1, 0)",
    int: "a whole number",
    float: "a number",
}


def _parse_secret(raw: object) -> Secret:
    if isinstance(raw, Secret):
        return raw
    if not isinstance(raw, str):
        raise ValueError("must be text")  # noqa: TRY004 - the caller collects ValueError
    return Secret(raw)


def _parse_bool(raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    word = raw.strip().lower() if isinstance(raw, str) else None
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise ValueError(f"is {raw!r}, must be {EXPECTED[bool]}")


def _parse_number(raw: object, kind: type) -> int | float:
    allowed = (str, int) if kind is int else (str, int, float)
    if isinstance(raw, allowed) and not isinstance(raw, bool):
        with contextlib.suppress(ValueError, OverflowError):
            number = typing.cast("int | float", kind(raw))
            if math.isfinite(number):
                return number
    raise ValueError(f"is {raw!r}, must be {EXPECTED[kind]}")


def _without_none(hint: object) -> type:
    if isinstance(hint, types.UnionType):
        (only,) = (part for part in typing.get_args(hint) if part is not types.NoneType)
        return typing.cast("type", only)
    return typing.cast("type", hint)
