"""The signal contract `inference.signal.v1`: what is known about a request before it has ended.

Invariants: a signal repeats the dimensions of its request as far as they were known when it was
sent; it never carries usage or durations, which belong to the final event; sent again, it keeps
its `event_id`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from inferometer.core.events import (
    Code,
    DurationMs,
    Flag,
    Id,
    InstantUs,
)


class InferenceSignal(BaseModel):
    """A deadline passed while the request was still running."""

    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())

    event_id: Id = Field(description="Unique id of this signal; sending again keeps it (UUIDv7).")
    source: Code = ""
    request_id: Id
    ts: InstantUs = Field(description="When the deadline passed.")
    kind: Literal["deadline_missed"] = "deadline_missed"
    deadline: Literal["ttft", "e2e"] = Field(
        description="ttft: no first token in time; e2e: not ended in time."
    )
    deadline_ms: DurationMs = Field(description="The deadline itself, from receipt.")
    workspace_id: Code = ""
    environment: Code = ""
    provider: Code = ""
    model: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=128)]
    model_version: Code = ""
    model_type: Literal[
        "text", "vision_language", "image", "audio", "video", "omni", "embedding", "rerank"
    ] = "text"
    region: Code = ""
    deployment_type: Literal["", "serverless", "dedicated", "edge"] = ""
    traffic_class: Literal["realtime", "batch", "background"] = "realtime"
    stream: Flag = False


DIMENSIONS = (
    "workspace_id",
    "environment",
    "provider",
    "model",
    "model_version",
    "model_type",
    "region",
    "deployment_type",
    "traffic_class",
    "stream",
)
"""The fields that a signal copies from the request as it is known so far."""
