"""What the HTTP interface refuses with: ClickHouse's numbers, texts and status codes."""

from __future__ import annotations

import re

_CODE = re.compile(r"\bCode:\s*(\d+)\.")

UNKNOWN_EXCEPTION = 1002
NOT_IMPLEMENTED = 48
AUTHENTICATION_FAILED = 516
TOO_LARGE = 1
"""UNSUPPORTED_METHOD stands for a body beyond the limit, which ClickHouse itself does not have."""
TIMEOUT_EXCEEDED = 159
INCORRECT_DATA = 117

_STATUSES = {
    **dict.fromkeys((6, 26, 27, 36, 38, 41, 42, 43, 53, 62, 69, 72, 117, 130, 131, 190), 400),
    **dict.fromkeys((164, 192, 193, 194, 497, 516), 403),
    **dict.fromkeys((46, 47, 50, 55, 56, 60, 73, 81, 115, 161), 404),
    **dict.fromkeys((159,), 408),
    **dict.fromkeys((48,), 501),
    **dict.fromkeys((202, 209), 503),
}
"""After `exceptionCodeToHTTPStatus` of ClickHouse; whatever is not here is a 500."""


class Refusal(Exception):  # noqa: N818 - not an error of ours: what the asker gets to read
    """An error that an asker gets, with ClickHouse's number of it."""

    def __init__(self, code: int, text: str, *, status: int | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.status = status or _STATUSES.get(code, 500)

    @classmethod
    def of_engine(cls, error: Exception, version: str) -> Refusal:
        """Return what the engine said, as its server would say it."""
        text = str(error)
        start = text.find("Code: ")
        text = text[start:] if start > 0 else text
        found = _CODE.search(text)
        if "(version " not in text:
            text = f"{text.rstrip()} (version {version})"
        return cls(int(found[1]) if found else UNKNOWN_EXCEPTION, text)

    @classmethod
    def of_interface(cls, code: int, message: str, *, status: int | None = None) -> Refusal:
        """Return a refusal of the interface itself."""
        return cls(code, f"Code: {code}. DB::Exception: {message}", status=status)
