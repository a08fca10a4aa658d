"""Text that must not be seen: passwords, keys, addresses of receivers.

Invariant: nothing but `reveal` shows the text, whatever formats or prints the value.
"""

from __future__ import annotations


class Secret:
    """Text that shows itself only to whoever asks by `reveal()`."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself; never log or print it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***" if self._text else ""

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.reveal() == self._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))
