"""Status codes and classes, mixed as people write them, as one filter."""

from __future__ import annotations

import re

from inferometer.core.events import STATUS_CLASSES, status_class
from inferometer.core.query.questions import Filter, Match, Problem, QueryRefusedError

_CODE = re.compile(r"\d{1,3}", re.ASCII)
_MOST_CODE = 999


def read_statuses(texts: tuple[str, ...]) -> tuple[Filter, ...]:
    """Return the filter of any of some codes and classes; none for none.

    Raises QueryRefusedError.
    """
    unknown = [text for text in texts if text not in STATUS_CLASSES and not _CODE.fullmatch(text)]
    if unknown:
        known = f"write a code such as 429, or a class: {', '.join(STATUS_CLASSES)}"
        problems = (
            Problem("status", f"{text[:80]!r} is neither status nor class", known)
            for text in unknown
        )
        raise QueryRefusedError(*problems)
    if not texts:
        return ()
    if all(text in STATUS_CLASSES for text in texts):
        return (Filter("status_class", Match.IS, texts),)
    # Filters all hold, so codes beside classes are all written as codes.
    codes = [
        str(code)
        for code in range(_MOST_CODE + 1)
        if str(code) in {str(int(text)) for text in texts if _CODE.fullmatch(text)}
        or status_class(code) in texts
    ]
    return (Filter("status_code", Match.IS, tuple(codes)),)
