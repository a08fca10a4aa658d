"""The dimensions that can be asked for: what each is, and which relation has it.

Invariants: every comparison is one of texts, so a status code is `200` and a flag is `true`; an
absent value is the empty text, in every dimension and metadata key.
"""

from __future__ import annotations

import difflib
import enum
from dataclasses import dataclass

from inferometer.core.cubes import CUBES
from inferometer.errors import PipelineError

METADATA_PREFIX = "metadata."
MOST_KEY_CHARACTERS = 128


class DimensionKind(enum.StrEnum):
    """How the store keeps a dimension."""

    TEXT = "text"
    CODE_NUMBER = "code_number"
    """A number that is a name: the HTTP status."""
    FLAG = "flag"
    """`true` or `false`."""
    METADATA = "metadata"
    """A key of the map of the log."""


@dataclass(frozen=True, slots=True)
class QueryDimension:
    """One name that filters and groups may use."""

    name: str
    label: str
    definition: str
    kind: DimensionKind
    cubes: frozenset[str]
    """Names of the cubes that have it."""
    is_in_log: bool = True

    @property
    def column(self) -> str:
        """The column of the log; the metadata key of a metadata dimension."""
        return self.name.removeprefix(METADATA_PREFIX)

    @property
    def relations(self) -> tuple[str, ...]:
        """What can answer it: cubes in their order, then the log."""
        cubes = tuple(cube.name for cube in CUBES if cube.name in self.cubes)
        return (*cubes, "requests") if self.is_in_log else cubes


class UnknownDimensionError(PipelineError):
    """A name that no dimension has; `reason` and `remedy` are apart for whoever asked."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason = reason
        self.remedy = remedy


_OF_CUBES = (
    ("model", "Model", "The model that answered, as the price book names it."),
    ("provider", "Provider", "Who serves the model."),
    ("model_version", "Model version", "The version of the model."),
    ("model_type", "Model type", "Text, vision, image, audio, video, omni, embedding or rerank."),
    ("virtual_model", "Virtual model", "The alias that was asked for, before routing."),
    ("user_id", "User", "The caller's user name."),
    ("team_id", "Team", "The first team of the caller: the one that is billed."),
    ("virtual_account_id", "Virtual account", "The application or key that called."),
    ("region", "Region", "Where the model ran."),
    ("environment", "Environment", "Production, staging and the like."),
    ("deployment_type", "Deployment", "Serverless, dedicated or edge."),
    ("traffic_class", "Traffic class", "Real-time, batch or background."),
    ("status_class", "Status class", "2xx, 4xx (without 429 and 499), 429, 499, 5xx or other."),
    ("status_code", "Status code", "The HTTP status; 499 when the client went away."),
    ("error_type", "Error type", "What failed, in the words of the gateway or provider."),
    ("workspace_id", "Workspace", "The tenant."),
)

_OF_LOG = (
    ("feature", "Feature", "The product feature that called."),
    ("hosting", "Hosting", "Hosted here, or by a third party."),
    ("operation", "Operation", "Chat, completion, embedding, tool call and the like."),
    ("response_model", "Response model", "The model that the answer names."),
    ("node_id", "Node", "The machine that worked on it."),
    ("pod_id", "Pod", "The pod that worked on it."),
    ("gpu_type", "GPU type", "The kind of GPU that worked on it."),
    ("model_store_region", "Model store region", "Where the model was fetched from."),
    ("finish_reason", "Finish reason", "Why the output ended."),
    ("api_key_hash", "API key", "A hash of the key that called."),
    ("batch_job_id", "Batch job", "The batch job that it belongs to."),
    ("session_id", "Session", "The conversation that it belongs to."),
    ("cost_status", "Cost status", "Priced, unpriced, partial or zero-rated."),
    ("cost_source", "Cost source", "Who priced it: the price book, or the producer."),
    ("price_version", "Price version", "The price book that priced it."),
    ("usage_source", "Usage source", "Who counted the tokens."),
    ("source", "Source", "The producer that sent the event."),
    ("kafka_topic", "Topic", "The topic that it came by."),
)

_FLAGS = (
    ("stream", "Streamed", "Whether the output was streamed."),
    ("is_retry", "Retry", "Whether it is an attempt after a failed one."),
    ("is_fallback", "Fallback", "Whether it went to another model than the first choice."),
    ("is_final", "Final attempt", "Whether it is the attempt that the caller got."),
    ("cold_start", "Cold start", "Whether it waited for a model to be loaded."),
    ("cache_hit", "Cache hit", "Whether a response cache answered."),
    ("billed_success", "Billed", "Whether images and video bill."),
)


def _kind_of(name: str) -> DimensionKind:
    return DimensionKind.CODE_NUMBER if name == "status_code" else DimensionKind.TEXT


def _cubes_with(name: str) -> frozenset[str]:
    # The class of a status follows from its code, so a cube that has the code has both.
    wanted = {name, "status_code"} if name == "status_class" else {name}
    return frozenset(
        cube.name for cube in CUBES if wanted & {dimension.name for dimension in cube.dimensions}
    )


DIMENSIONS: tuple[QueryDimension, ...] = (
    *(
        QueryDimension(name, label, definition, _kind_of(name), _cubes_with(name))
        for name, label, definition in _OF_CUBES
    ),
    *(
        QueryDimension(name, label, definition, DimensionKind.TEXT, frozenset())
        for name, label, definition in _OF_LOG
    ),
    *(
        QueryDimension(name, label, definition, DimensionKind.FLAG, frozenset())
        for name, label, definition in _FLAGS
    ),
)
"""All but metadata keys, which producers make up."""

_BY_NAME = {dimension.name: dimension for dimension in DIMENSIONS}

SPOKEN_NAMES = {
    "api_key": "api_key_hash",
    "code": "status_code",
    "env": "environment",
    "gpu": "gpu_type",
    "node": "node_id",
    "status": "status_code",
    "team": "team_id",
    "tenant": "workspace_id",
    "user": "user_id",
    "virtual_account": "virtual_account_id",
    "workspace": "workspace_id",
}
"""What people write for a dimension that is called otherwise."""


def metadata_key(name: str) -> str:
    """Return the key of a metadata dimension."""
    return name.removeprefix(METADATA_PREFIX)


def dimension_of(name: str) -> QueryDimension:
    """Return the dimension of a name. Raises UnknownDimensionError, which says what was meant."""
    if name.startswith(METADATA_PREFIX):
        return _metadata(name)
    if found := _BY_NAME.get(name):
        return found
    raise UnknownDimensionError(f"no dimension is called {name[:80]!r}", _hint(name))


def _metadata(name: str) -> QueryDimension:
    key = metadata_key(name)
    if not 1 <= len(key) <= MOST_KEY_CHARACTERS:
        raise UnknownDimensionError(
            f"a metadata key has 1 to {MOST_KEY_CHARACTERS} characters",
            "/api/v1/metadata-keys lists those that were sent",
        )
    definition = "A key that callers send with their requests."
    return QueryDimension(name, key, definition, DimensionKind.METADATA, frozenset())


def _hint(name: str) -> str:
    meant = SPOKEN_NAMES.get(name.casefold())
    if meant is None:
        close = difflib.get_close_matches(name.casefold(), list(_BY_NAME), n=1)
        meant = close[0] if close else None
    if meant is None:
        return "/api/v1/dimensions lists them; metadata is written metadata.<key>"
    return f"did you mean {meant}?"
