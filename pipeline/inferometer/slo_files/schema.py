"""The JSON Schema of the native SLO file, from the models that read it."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from inferometer.slo_files.parts import AbsencePart, IndicatorPart, OutagePart, SloFile, WindowPart

SCHEMA_FILE = "config/slos.schema.json"
"""Its place under `schemas/`."""


def slo_file_schema() -> dict[str, Any]:
    """Return the schema; spans, selections and metrics are texts whose inside it does not judge."""
    # The latter three stand only behind schemas of our own, where pydantic does not see them.
    wanted = (SloFile, WindowPart, IndicatorPart, OutagePart, AbsencePart)
    _, found = models_json_schema([(model, "validation") for model in wanted])
    definitions: dict[str, Any] = found["$defs"]
    root = definitions.pop("SloFile")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": definitions,
        **root,
    }
