"""The published form of the Arrow schema: which column types each field of an event may have.

Invariant: fields, types and limits are those of the code that writes and reads; nothing is added.
"""

from __future__ import annotations

from typing import Any

from inferometer.core.arrow_events import COMPRESSIONS
from inferometer.core.arrow_schema import CONTRACT_KEY, SCHEMA
from inferometer.core.contracts import DIALECT, ID_PREFIX, request_schema
from inferometer.core.envelopes import MAX_RECORD_EVENTS, MAX_UNPACKED_BYTES
from inferometer.core.events import Kind
from inferometer.core.fields import FIELDS
from inferometer.names import ARROW_CONTENT_TYPE, CONTENT_TYPE_HEADER, REQUEST_EVENT_TYPE

ARROW_CONTRACT = f"{REQUEST_EVENT_TYPE}.arrow"

_TEXTS = ["large_utf8", "string_view", "dictionary of utf8 with any index"]
_FRACTIONS = ["float32", "float64", "integer"]
ALSO_READ = {
    Kind.CODE: ["utf8", *_TEXTS],
    Kind.TEXT: _TEXTS,
    Kind.INT: ["any other integer"],
    Kind.BOOL: [],
    Kind.DURATION: ["duration of another unit", *(f"{one}, milliseconds" for one in _FRACTIONS)],
    Kind.SECONDS: ["duration of another unit", *(f"{one}, seconds" for one in _FRACTIONS)],
    Kind.MONEY: ["decimal of another scale", "utf8, a decimal number", "float64"],
    Kind.INSTANT: [
        "timestamp of another unit with a time zone",
        "integer, microseconds since 1970",
        "utf8, RFC 3339 with an offset",
    ],
    Kind.TEXT_LIST: ["large_list", "list of another text"],
    Kind.TEXT_MAP: ["map of other texts"],
    Kind.GAPS: ["the same with other integers"],
}
"""What else the sink takes for a kind; some of it is judged event by event, which is slow."""


def arrow_contract() -> dict[str, Any]:
    """Return the description of `inference.request.v1` as Arrow batches."""
    described = request_schema()["properties"]
    return {
        "$schema": DIALECT,
        "$id": f"{ID_PREFIX}{ARROW_CONTRACT}",
        "title": ARROW_CONTRACT,
        "description": (
            "A record of this content type is one Arrow IPC stream: a schema, then dictionaries "
            "and one or more record batches. A row is an event, its identity in Kafka is (offset "
            "of the record, row), counted over all batches. Columns may be left out and stand in "
            "any order; null and an absent column both mean that the field has its default. "
            "Columns of other names are counted and not read."
        ),
        "x-arrow": {
            "headers": {CONTENT_TYPE_HEADER: ARROW_CONTENT_TYPE},
            "metadata": {CONTRACT_KEY: REQUEST_EVENT_TYPE},
            "body_compressions": list(COMPRESSIONS),
            "limits": {
                "events": MAX_RECORD_EVENTS,
                "unpacked_bytes": MAX_UNPACKED_BYTES,
            },
            "fields": [
                {
                    "name": field.name,
                    "type": str(SCHEMA.field(field.name).type),
                    "also_read": ALSO_READ[field.kind],
                    "required": field.required,
                    "description": described[field.name]["description"],
                }
                for field in FIELDS
            ],
        },
    }
