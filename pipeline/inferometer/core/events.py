"""The event contract `inference.request.v1`: one attempt at one inference request.

The model below is the single authority on fields, types and bounds: the JSON Schema is generated
from it, the column decoder derives its field table from it, and every record that the fast decoder
is not sure about is judged by it.

Invariants: token totals are inclusive and their buckets disjoint (they sum to the totals);
durations are milliseconds measured by one monotonic clock; event time is `ts_end`.
"""

from __future__ import annotations

import enum
import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StringConstraints,
    model_validator,
)

from inferometer.core.bins import MAX_BIN, ZERO_BIN

MAX_UINT32 = 2**32 - 1
MAX_BYTES = 2**46
"""70 TB a request; the sum over the largest chunk stays inside 64 bits."""
MAX_RATE_LIMIT = 10**15
MAX_METADATA_KEYS = 32
MAX_METADATA_CHARS = 128
MAX_LIST_ITEMS = 64
MAX_DURATION_MS = 31 * 86_400_000.0
MAX_SECONDS = 31 * 86_400.0
MAX_COST_USD = Decimal(100_000)
MAX_TS_US = 4_102_444_800_000_000
"""2100-01-01: anything above can't be stored as an instant; the door refuses far smaller ones."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Kind(enum.Enum):
    """How the column decoder stores a field; every field of the contract carries one."""

    CODE = enum.auto()
    """Text that repeats: stored as a dictionary code."""
    TEXT = enum.auto()
    """Text that rarely repeats: stored as a span of bytes."""
    INT = enum.auto()
    BOOL = enum.auto()
    DURATION = enum.auto()
    """Milliseconds on the wire, integer microseconds in columns, rounded half-even."""
    SECONDS = enum.auto()
    """Seconds on the wire, integer microseconds in columns, rounded half-even."""
    MONEY = enum.auto()
    """US dollars on the wire, integer pico-dollars in columns, rounded half-even."""
    INSTANT = enum.auto()
    """Integer microseconds since 1970 UTC, or RFC 3339 text with an offset."""
    TEXT_LIST = enum.auto()
    TEXT_MAP = enum.auto()
    GAPS = enum.auto()


def _instant_to_us(value: object) -> object:
    if isinstance(value, str):
        instant = datetime.fromisoformat(value)
        if instant.tzinfo is None:
            raise ValueError("instant without an offset: append Z or +00:00")
        return (instant - EPOCH) // timedelta(microseconds=1)
    return value


def _money(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("money must be a number or decimal text")  # noqa: TRY004 - pydantic's protocol
    if isinstance(value, float):
        return Decimal(repr(value))
    return value


Code = Annotated[str, StringConstraints(strict=True, max_length=128), Kind.CODE]
Text = Annotated[str, StringConstraints(strict=True, max_length=256), Kind.TEXT]
Id = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=256), Kind.TEXT]
LongText = Annotated[str, StringConstraints(strict=True, max_length=2048), Kind.TEXT]
Count = Annotated[StrictInt, Field(ge=0, le=MAX_UINT32), Kind.INT]
Bytes = Annotated[StrictInt, Field(ge=0, le=MAX_BYTES), Kind.INT]
RateLimit = Annotated[StrictInt, Field(ge=0, le=MAX_RATE_LIMIT), Kind.INT]
Flag = Annotated[StrictBool, Kind.BOOL]
DurationMs = Annotated[
    float, Field(strict=True, ge=0, le=MAX_DURATION_MS, allow_inf_nan=False), Kind.DURATION
]
Seconds = Annotated[
    float, Field(strict=True, ge=0, le=MAX_SECONDS, allow_inf_nan=False), Kind.SECONDS
]
Usd = Annotated[
    Decimal, BeforeValidator(_money), Field(ge=0, le=MAX_COST_USD, allow_inf_nan=False), Kind.MONEY
]
InstantUs = Annotated[
    StrictInt,
    BeforeValidator(
        _instant_to_us,
        json_schema_input_type=int
        | Annotated[str, Field(json_schema_extra={"format": "date-time"})],
    ),
    Field(ge=0, le=MAX_TS_US),
    Kind.INSTANT,
]
Bounded128 = Annotated[str, StringConstraints(strict=True, max_length=MAX_METADATA_CHARS)]
TextList = Annotated[list[Bounded128], Field(max_length=MAX_LIST_ITEMS), Kind.TEXT_LIST]
Metadata = Annotated[
    dict[Bounded128, Bounded128], Field(max_length=MAX_METADATA_KEYS), Kind.TEXT_MAP
]


class Gaps(BaseModel):
    """Gaps between successive output chunks of one streamed request: count, sum and log bins.

    `bins` alternates bin and count, `[bin, count, bin, count, ...]`, bins ascending; see
    `inferometer.core.bins` for the bin of a gap. Without `bins` only the mean is known.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    count: Annotated[StrictInt, Field(ge=0, le=MAX_UINT32)]
    sum_ms: Annotated[float, Field(strict=True, ge=0, le=MAX_DURATION_MS, allow_inf_nan=False)]
    max_ms: (
        Annotated[float, Field(strict=True, ge=0, le=MAX_DURATION_MS, allow_inf_nan=False)] | None
    ) = None
    bins: Annotated[
        list[Annotated[StrictInt, Field(ge=ZERO_BIN, le=MAX_UINT32)]], Field(max_length=8192)
    ] = Field(default_factory=list)

    @model_validator(mode="after")
    def _bins_are_a_sketch(self) -> Self:
        indexes, counts = self.bins[::2], self.bins[1::2]
        if len(indexes) != len(counts):
            raise ValueError("bins must alternate bin and count")
        if any(b <= a for a, b in itertools.pairwise(indexes)):
            raise ValueError("bins must ascend")
        if any(index > MAX_BIN for index in indexes) or any(count < 1 for count in counts):
            raise ValueError(f"bins must be at most {MAX_BIN}, their counts at least 1")
        if counts and sum(counts) != self.count:
            raise ValueError("counts of the bins must sum to count")
        return self


class InferenceRequest(BaseModel):
    """One attempt at one inference request, published once the attempt has ended."""

    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())

    # Identity
    event_id: Id = Field(description="Unique id of this event; sending again keeps it (UUIDv7).")
    source: Code = Field("", description="Producer instance, OTel service.instance.id.")
    schema_version: Annotated[Literal[1], Kind.INT] = 1
    ts: InstantUs | None = Field(None, description="When the request was received.")
    ts_end: InstantUs = Field(description="When the attempt ended; the event time.")
    workspace_id: Code = ""
    environment: Code = ""
    request_id: Id = Field(description="The logical request; equal in all its attempts.")
    attempt_id: Text = ""
    attempt_no: Annotated[StrictInt, Field(ge=1, le=255), Kind.INT] = 1
    is_retry: Flag = False
    is_fallback: Flag = False
    is_final: Flag = Field(True, description="This is the attempt that the caller got.")
    resent: Flag = Field(False, description="Sent again after a pause, for example by a spool.")
    trace_id: Text = ""
    span_id: Text = ""
    session_id: Text = ""

    # Dimensions
    operation: Code = Field("chat", description="chat, embeddings, image_generation, tts, ...")
    model_type: Annotated[
        Literal[
            "text", "vision_language", "image", "audio", "video", "omni", "embedding", "rerank"
        ],
        Kind.CODE,
    ] = "text"
    provider: Code = ""
    model: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=128), Kind.CODE]
    model_version: Code = ""
    response_model: Code = ""
    virtual_model: Code = ""
    hosting: Annotated[Literal["", "hosted", "third_party"], Kind.CODE] = ""
    deployment_type: Annotated[Literal["", "serverless", "dedicated", "edge"], Kind.CODE] = ""
    traffic_class: Annotated[Literal["realtime", "batch", "background"], Kind.CODE] = "realtime"
    batch_job_id: Code = ""
    priority: Annotated[StrictInt, Field(ge=-1_000_000, le=1_000_000), Kind.INT] | None = None
    user_id: Code = ""
    team_ids: TextList = Field(default_factory=list, description="The first is billed.")
    virtual_account_id: Code = ""
    api_key_hash: Code = ""
    feature: Code = ""
    metadata: Metadata = Field(default_factory=dict)
    stream: Flag = False

    # Outcome
    status_code: Annotated[StrictInt, Field(ge=0, le=999), Kind.INT] = Field(
        description="HTTP status; 499 when the client went away."
    )
    status_class: Annotated[Literal["", "2xx", "4xx", "429", "499", "5xx", "other"], Kind.CODE] = (
        Field("", description="Derived from status_code; where given it must agree.")
    )
    error_type: Code = ""
    error_message: LongText = ""
    finish_reason: Code = ""
    billed_success: Flag | None = Field(
        None, description="Images and video bill only when true; absent means status is 2xx."
    )
    deadline_missed: Flag = Field(False, description="A deadline signal was sent before the end.")

    # Usage: inclusive totals and disjoint buckets
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    uncached_input_tokens: Count | None = None
    cache_read_tokens: Count = 0
    cache_write_5m_tokens: Count = 0
    cache_write_1h_tokens: Count = 0
    audio_input_tokens: Count = 0
    image_input_tokens: Count = 0
    video_input_tokens: Count = 0
    text_output_tokens: Count | None = None
    reasoning_tokens: Count = 0
    audio_output_tokens: Count = 0
    image_output_tokens: Count = 0
    usage_source: Annotated[Literal["reported", "estimated", "missing", "partial"], Kind.CODE] = (
        "reported"
    )
    images: Count = 0
    video_seconds: Seconds = 0.0
    audio_in_seconds: Seconds = 0.0
    audio_out_seconds: Seconds = 0.0
    characters: Count = 0

    # Durations, milliseconds
    queue_ms: DurationMs | None = None
    ttft_ms: DurationMs | None = Field(None, description="Receipt to first token, queue included.")
    ttfa_ms: DurationMs | None = Field(None, description="Receipt to first answer token.")
    prefill_ms: DurationMs | None = None
    decode_ms: DurationMs | None = None
    e2e_ms: DurationMs | None = Field(None, description="Receipt to last byte, at the server.")
    client_e2e_ms: DurationMs | None = None
    itl: Annotated[Gaps, Kind.GAPS] | None = None
    tpot_ms: DurationMs | None = Field(
        None,
        description="(e2e - ttft) / (output_tokens - 1); derived where e2e and ttft are there, "
        "dropped below two output tokens.",
    )

    # Placement and efficiency
    cold_start: Flag = False
    cold_start_ms: DurationMs | None = None
    model_load_bytes: Bytes = 0
    cache_hit: Flag = Field(False, description="Answered by a response cache.")
    prefix_cache_tokens: Count = 0
    batch_size_at_start: Count = 0
    preemptions: Count = 0
    node_id: Code = ""
    pod_id: Code = ""
    gpu_ids: TextList = Field(default_factory=list)
    gpu_type: Code = ""
    gpu_count: Count = 0
    tp_size: Count = 0
    region: Code = ""
    model_store_region: Code = ""
    gpu_seconds: Seconds = 0.0
    egress_bytes: Bytes = 0
    ingress_bytes: Bytes = 0
    feature_store_reads: Count = 0
    log_bytes: Bytes = 0
    ratelimit_limit_requests: RateLimit | None = None
    ratelimit_remaining_requests: RateLimit | None = None
    ratelimit_limit_tokens: RateLimit | None = None
    ratelimit_remaining_tokens: RateLimit | None = None

    # Cost as the provider states it; where price_cost is absent, the price book prices the usage
    price_cost: Usd | None = Field(None, description="Price cost stated by the provider, USD.")
    cost_input: Usd | None = None
    cost_output: Usd | None = None
    cost_cache_read: Usd | None = None
    cost_cache_write: Usd | None = None
    cost_reasoning: Usd | None = None
    cost_other: Usd | None = None
    cost_source: Annotated[Literal["", "provider", "local"], Kind.CODE] = ""
    cost_status: Annotated[
        Literal["", "priced", "unpriced", "partial", "zero_rated"], Kind.CODE
    ] = Field("", description="Only zero_rated is taken from a producer; the rest is computed.")
    price_version: Code = ""

    @model_validator(mode="before")
    @classmethod
    def _null_means_absent(cls, value: Any) -> Any:
        if isinstance(value, dict) and None in value.values():
            return {key: item for key, item in value.items() if item is not None}
        return value


STATUS_CLASSES = ("2xx", "4xx", "429", "499", "5xx", "other")


def status_class(status_code: int) -> str:
    """Return the one of six disjoint classes that a status code belongs to."""
    if status_code in {429, 499}:
        return str(status_code)
    hundreds = status_code // 100
    return f"{hundreds}xx" if hundreds in {2, 4, 5} else "other"
