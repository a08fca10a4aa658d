"""The published form of the event contracts: JSON Schema, generated from the models.

Invariant: the models are the only authority; nothing here adds or drops a field, type or bound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inferometer.core.events import InferenceRequest
from inferometer.core.field_docs import GAPS_DOCS, REQUEST_DOCS, SIGNAL_DOCS
from inferometer.core.gauges import GaugeSample
from inferometer.core.signals import InferenceSignal
from inferometer.names import GAUGE_EVENT_TYPE, REQUEST_EVENT_TYPE, SIGNAL_EVENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ID_PREFIX = "urn:inferometer:schema:"


def request_schema() -> Schema:
    """Return the JSON Schema of `inference.request.v1`."""
    schema = _published(InferenceRequest, REQUEST_EVENT_TYPE, REQUEST_DOCS)
    _describe(schema["$defs"]["Gaps"]["properties"], GAPS_DOCS)
    return schema


def signal_schema() -> Schema:
    """Return the JSON Schema of `inference.signal.v1`."""
    return _published(InferenceSignal, SIGNAL_EVENT_TYPE, SIGNAL_DOCS)


def gauge_schema() -> Schema:
    """Return the JSON Schema of `inference.gauge.v1`."""
    return _published(GaugeSample, GAUGE_EVENT_TYPE, {**REQUEST_DOCS, **SIGNAL_DOCS})


EVENT_SCHEMAS: Mapping[str, Callable[[], Schema]] = {
    REQUEST_EVENT_TYPE: request_schema,
    SIGNAL_EVENT_TYPE: signal_schema,
    GAUGE_EVENT_TYPE: gauge_schema,
}
"""How to make the schema of each event type."""


def _published(model: type[BaseModel], event_type: str, docs: Mapping[str, str]) -> Schema:
    generated = model.model_json_schema(mode="validation")
    _describe(generated["properties"], docs)
    _drop_titles(generated)
    for schema in generated["properties"].values():
        _state_bounds(schema)
    head = {"$schema": DIALECT, "$id": f"{ID_PREFIX}{event_type}", "title": event_type}
    return head | generated


def _describe(properties: Schema, docs: Mapping[str, str]) -> None:
    for name, schema in properties.items():
        if "description" not in schema and name in docs:
            schema["description"] = docs[name]


def _drop_titles(schema: Schema) -> None:
    """Remove the titles that pydantic makes up from names: they say nothing more."""
    schema.pop("title", None)
    for inner in (*schema.get("properties", {}).values(), *schema.get("$defs", {}).values()):
        _drop_titles(inner)


def _state_bounds(schema: Schema) -> None:
    """Say the bounds of instants in JSON Schema's words, on the alternative that they hold for."""
    for inner in schema.get("anyOf", ()):
        _state_bounds(inner)
        if inner.get("type") == "integer" and "ge" in schema:
            inner |= {"minimum": schema["ge"], "maximum": schema["le"]}
    schema.pop("ge", None)
    schema.pop("le", None)
