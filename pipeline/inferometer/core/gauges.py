"""The gauge contract `inference.gauge.v1`: what stands at an instant, and is no request.

Invariants: the newest sample of a group stands until the next; samples of one group that lie in one
cell of ten seconds are averaged, so that a fleet reports its mean; a heartbeat says that its source
lives, a farewell that it ends on purpose.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from inferometer.core.events import Code, Id, InstantUs

Gauge = Literal[
    "enqueued_tokens", "enqueued_tokens_limit", "gpu_utilisation", "heartbeat", "farewell"
]
GAUGE_KIND = "gauge"
MAX_VALUE = 1e15
"""So that the sum of a cell stays within 64 bits."""


class GaugeSample(BaseModel):
    """The value of a gauge at an instant, as one source saw it."""

    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())

    event_id: Id = Field(description="Unique id of this sample; sending again keeps it (UUIDv7).")
    source: Code = Field(default="", description="Who tells it: a name that a restart keeps.")
    ts: InstantUs = Field(description="When it was so.")
    kind: Literal["gauge"] = Field(description="Tells samples from the signals of this topic.")
    gauge: Gauge = Field(
        description="enqueued_tokens: tokens that wait in batches; enqueued_tokens_limit: how many "
        "may; gpu_utilisation: 0 to 1; heartbeat: its value is the seconds until the next; "
        "farewell: no more heartbeats will come, on purpose."
    )
    value: Annotated[float, Field(ge=0, le=MAX_VALUE, allow_inf_nan=False)] = Field(
        description="In the gauge's unit."
    )
    workspace_id: Code = ""
    environment: Code = ""
    provider: Code = ""
    model: Code = ""
    model_version: Code = ""
    region: Code = ""
    deployment_type: Code = ""
    traffic_class: Code = ""
    node_id: Code = ""
    gpu_type: Code = ""
