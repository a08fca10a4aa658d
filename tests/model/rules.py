"""What a run of the model may do: the rules of the protocol, each to be switched off, and bounds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from tests.model.world import Table


class Lease(Enum):
    """What a worker looks at before it sends an insert."""

    NONE = "it sends whatever has happened meanwhile"
    CHECKED = "it sends nothing as a former owner, but what it has sent may land at any time"
    IDEAL = "besides, what it has sent never lands once it is a former owner"


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The protocol; a mutant differs in one of these."""

    has_fence: bool = True
    lease: Lease = Lease.CHECKED
    has_tokens: bool = True
    token_window: int | None = None
    """How many tokens a table remembers; None for all."""
    token_names_stream: bool = True
    metadata_names_stream: bool = True
    confirms_topic: bool = True
    commits_intents: bool = True
    pins_boundaries: bool = True
    consults_ledger: bool = True
    acknowledges_first: bool = False
    order: tuple[Table, ...] = (Table.INTENTS, Table.LOG, Table.ROLLUP, Table.LEDGER)


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How much may happen in a run; crashes, rebalances and failing requests are not counted."""

    records: int = 4
    losses: int = 0
    remakes: int = 0
    records_anew: int = 2
    """Records of the topic once it is made anew."""
    in_flight: int = 1
    """Requests that may be on their way with nobody waiting for them."""
