"""The field table of the contract, derived from the pydantic model so that there is one authority.

Invariant: every field of `InferenceRequest` appears once, with the bounds the model gives it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import annotated_types
from pydantic import StringConstraints

from inferometer.core.events import Gaps, InferenceRequest, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo


@dataclass(frozen=True, slots=True)
class EventField:
    """One field of the contract as the column decoder needs it.

    Bounds are those of the wire value: characters for text, items for lists, the number itself
    for integers, milliseconds, seconds or US dollars for the scaled kinds.
    """

    name: str
    kind: Kind
    required: bool
    minimum: float | None
    maximum: float | None
    choices: tuple[str, ...]
    default: object


def _flatten(annotation: Any) -> Iterator[Any]:
    """Yield the metadata and literals inside an annotation, through Annotated and unions."""
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        yield from metadata
        yield from _flatten(inner)
    elif get_origin(annotation) is Literal or annotation is Gaps:
        yield annotation
    else:
        for argument in get_args(annotation):
            yield from _flatten(argument)


def _bounds(metadata: list[Any]) -> tuple[float | None, float | None]:
    minimum: float | None = None
    maximum: float | None = None
    for item in metadata:
        if isinstance(item, annotated_types.Ge):
            minimum = item.ge  # type: ignore[assignment]  # only numbers occur in the contract
        elif isinstance(item, annotated_types.Le):
            maximum = item.le  # type: ignore[assignment]  # as above
        elif isinstance(item, StringConstraints):
            minimum, maximum = item.min_length, item.max_length
        elif isinstance(item, annotated_types.MaxLen):
            maximum = item.max_length
        elif hasattr(item, "metadata"):
            inner_minimum, inner_maximum = _bounds(list(item.metadata))
            minimum = minimum if inner_minimum is None else inner_minimum
            maximum = maximum if inner_maximum is None else inner_maximum
    return minimum, maximum


def _field(name: str, info: FieldInfo) -> EventField:
    metadata = [*info.metadata, *_flatten(info.annotation)]
    kind = next(item for item in metadata if isinstance(item, Kind))
    literals = [
        value for item in metadata if get_origin(item) is Literal for value in get_args(item)
    ]
    minimum, maximum = _bounds(metadata)
    if kind is Kind.INT and literals:
        minimum = maximum = literals[0]
    if kind is Kind.CODE and literals:
        maximum = max(len(literal) for literal in literals)
    return EventField(
        name=name,
        kind=kind,
        required=info.is_required(),
        minimum=minimum,
        maximum=maximum,
        choices=tuple(literals) if kind is Kind.CODE else (),
        default=None if info.is_required() else info.get_default(call_default_factory=True),
    )


FIELDS: tuple[EventField, ...] = tuple(
    _field(name, info) for name, info in InferenceRequest.model_fields.items()
)
"""Every field of the contract, in the order in which producers write them."""

FIELD_INDEX = {field.name: index for index, field in enumerate(FIELDS)}


def fields_of(*kinds: Kind) -> tuple[EventField, ...]:
    """Return the fields of the given kinds, in contract order."""
    return tuple(field for field in FIELDS if field.kind in kinds)


NUMBER_KINDS = (Kind.INT, Kind.BOOL, Kind.DURATION, Kind.SECONDS, Kind.MONEY, Kind.INSTANT)

MICROSECONDS_PER_SECOND = 1_000_000
MICROSECONDS_PER_MS = 1_000
PICO_PER_USD = 1_000_000_000_000

SCALES = {
    Kind.INT: 1,
    Kind.BOOL: 1,
    Kind.DURATION: MICROSECONDS_PER_MS,
    Kind.SECONDS: MICROSECONDS_PER_SECOND,
    Kind.MONEY: PICO_PER_USD,
    Kind.INSTANT: 1,
}
"""Stored integer units in one wire unit."""
