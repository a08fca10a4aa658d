"""Filters as texts: `model=a,b`, `model!=a`, `user_id^=team-`, `metadata.tenant=acme`.

Values are alternatives, parted by commas; `escapes` says how one holds a comma.
"""

from __future__ import annotations

import re

from inferometer.core.events import STATUS_CLASSES
from inferometer.core.query.dimensions import (
    DimensionKind,
    QueryDimension,
    UnknownDimensionError,
    dimension_of,
)
from inferometer.core.query.escapes import (
    NAME,
    escaped_name,
    escaped_value,
    plain_name,
    split_values,
)
from inferometer.core.query.questions import Filter, Match, Problem, QueryRefusedError

MOST_FILTERS = 50
MOST_VALUES = 1000
MOST_VALUE_CHARACTERS = 1024

_WRITTEN = re.compile(rf"(?P<dimension>{NAME})(?P<match>!=|\^=|=)(?P<values>.*)", re.DOTALL)
_STATUS_CODE = re.compile(r"\d{1,3}", re.ASCII)
_FLAGS = ("true", "false")
_HOW = "write model=a,b or model!=a or user_id^=team-"


def read_filter(text: str, *, parameter: str = "filter") -> Filter:
    """Return the filter that a text is. Raises QueryRefusedError."""
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise _refused(parameter, f"{text[:80]!r} is no filter", _HOW)
    try:
        dimension = dimension_of(plain_name(match["dimension"]))
    except UnknownDimensionError as error:
        raise _refused(parameter, error.reason, error.remedy) from error
    how = Match(match["match"])
    values = split_values(match["values"])
    _check(parameter, dimension, how, values)
    return Filter(dimension.name, how, values)


def read_filters(texts: tuple[str, ...], *, parameter: str = "filter") -> tuple[Filter, ...]:
    """Return filters that all hold. Raises QueryRefusedError with every problem."""
    if len(texts) > MOST_FILTERS:
        raise _refused(
            parameter,
            f"{len(texts)} filters are more than {MOST_FILTERS}",
            "put the values of a dimension into one filter: model=a,b",
        )
    found: list[Filter] = []
    problems: list[Problem] = []
    for text in texts:
        try:
            found.append(read_filter(text, parameter=parameter))
        except QueryRefusedError as error:
            problems += error.problems
    if problems:
        raise QueryRefusedError(*problems)
    return tuple(found)


def written(condition: Filter) -> str:
    """Return the text of a filter; `read_filter` reads it back."""
    values = ",".join(map(escaped_value, condition.values))
    return f"{escaped_name(condition.dimension)}{condition.match}{values}"


def _check(
    parameter: str, dimension: QueryDimension, match: Match, values: tuple[str, ...]
) -> None:
    if len(values) > MOST_VALUES:
        raise _refused(
            parameter,
            f"{len(values)} values of {dimension.name} are more than {MOST_VALUES}",
            f"filter by a prefix: {dimension.name}^=team-",
        )
    for value in values:
        if len(value) > MOST_VALUE_CHARACTERS:
            reason = f"a value of {dimension.name} has more than {MOST_VALUE_CHARACTERS} characters"
            raise _refused(parameter, reason, f"filter by its beginning: {dimension.name}^=...")
        _check_value(parameter, dimension, match, value)


def _check_value(parameter: str, dimension: QueryDimension, match: Match, value: str) -> None:
    if match is Match.STARTS_WITH:
        if not value:
            raise _refused(parameter, f"everything begins with nothing: {dimension.name}^=", _HOW)
        return
    if dimension.kind is DimensionKind.CODE_NUMBER and not _STATUS_CODE.fullmatch(value):
        remedy = "write status_code=429, or status_class=5xx for a class"
        raise _refused(parameter, f"{value[:80]!r} is no HTTP status", remedy)
    if dimension.name == "status_class" and value not in STATUS_CLASSES:
        # It would match nothing, and say that nothing failed.
        remedy = f"write one of {', '.join(STATUS_CLASSES)}, or status_code=429 for a code"
        raise _refused(parameter, f"{value[:80]!r} is no class of statuses", remedy)
    if dimension.kind is DimensionKind.FLAG and value not in _FLAGS:
        reason = f"{dimension.name} is true or false, not {value[:80]!r}"
        raise _refused(parameter, reason, f"write {dimension.name}=true")


def _refused(parameter: str, reason: str, remedy: str) -> QueryRefusedError:
    return QueryRefusedError(Problem(parameter, reason, remedy))
