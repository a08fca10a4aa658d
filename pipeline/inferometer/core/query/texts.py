"""Reads the values of a query string by name, and keeps every problem until all are read."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, TypeVar

from inferometer.core.query.questions import Problem, QueryRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from enum import StrEnum

T = TypeVar("T")
E = TypeVar("E", bound="StrEnum")

OF_EVERY_QUESTION = ("format", "workspace")
"""Parameters that are read by whoever serves the answer."""

_WORDS_OF_FLAGS = {"true": True, "1": True, "false": False, "0": False}


class Texts:
    """The parameters of one question; `finish` raises what was wrong with any."""

    def __init__(self, values: Mapping[str, Sequence[str]], known: Iterable[str]) -> None:
        self._values = values
        self._problems: list[Problem] = []
        known = (*known, *OF_EVERY_QUESTION)
        for name in values:
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                remedy = f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"
                self.refuse(name, "this question has no such parameter", remedy)

    def refuse(self, parameter: str, reason: str, remedy: str) -> None:
        """Keep a problem."""
        self._problems.append(Problem(parameter, reason, remedy))

    def finish(self) -> None:
        """Raise QueryRefusedError if there was any problem."""
        if self._problems:
            raise QueryRefusedError(*self._problems)

    def attempt(self, read: Callable[[], T], fallback: T) -> T:
        """Return what `read` returns, or the fallback where it is refused."""
        try:
            return read()
        except QueryRefusedError as error:
            self._problems += error.problems
            return fallback

    def one(self, name: str, default: str = "") -> str:
        """Return the only value of a parameter; an empty one counts as none."""
        values = [value for value in self._values.get(name, ()) if value]
        if len(values) > 1:
            self.refuse(name, f"it is given {len(values)} times", "give it once")
        return values[0] if values else default

    def every(self, name: str) -> tuple[str, ...]:
        """Return all values of a parameter that are not empty, as they are."""
        return tuple(value for value in self._values.get(name, ()) if value)

    def listed(self, name: str) -> tuple[str, ...]:
        """Return all values of a parameter that may be repeated or parted by commas, each once."""
        parts = (part.strip() for value in self.every(name) for part in value.split(","))
        return tuple(dict.fromkeys(part for part in parts if part))

    def number(self, name: str, default: int, *, least: int = 1, most: int) -> int:
        """Return a whole number inside its bounds."""
        text = self.one(name)
        if not text:
            return default
        if text.isascii() and text.isdigit() and len(text) < len(str(most)) + 2:
            number = int(text)
            if least <= number <= most:
                return number
        self.refuse(name, f"{text[:80]!r} is no number of {least} to {most}", f"write {default}")
        return default

    def flag(self, name: str) -> bool:
        """Return a parameter that is true or false; false without it."""
        text = self.one(name, "false")
        if text.casefold() not in _WORDS_OF_FLAGS:
            self.refuse(name, f"{text[:80]!r} is neither true nor false", "write true or false")
        return _WORDS_OF_FLAGS.get(text.casefold(), False)

    def choice(self, name: str, default: E) -> E:
        """Return one of the words of an enumeration."""
        text = self.one(name, default)
        words = type(default)
        if text in set(words):
            return words(text)
        self.refuse(name, f"{text[:80]!r} is unknown", f"known: {', '.join(words)}")
        return default
