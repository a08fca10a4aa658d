"""Where a worker of the model goes on: asks the real decision, in the words of the model."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from inferometer.core.chunks import Intent
from inferometer.core.resumption import GroupPosition, StoredProgress, resume

if TYPE_CHECKING:
    from tests.model.world import Chunk


@cache
def decided(
    offset: int | None, intent: Chunk | None, next_offset: int | None, open_chunk: Chunk | None
) -> tuple[int, Chunk | None]:
    """Return the offset to go on at, and the open chunk to finish first."""
    resumption = resume(
        GroupPosition(offset=offset, intent=_intent(intent), earliest=0),
        StoredProgress(next_offset=next_offset, open_intent=_intent(open_chunk)),
    )
    chosen = resumption.intent
    if chosen is None:
        return resumption.offset, None
    either = intent if intent is not None and _intent(intent) == chosen else open_chunk
    return resumption.offset, either


def _intent(chunk: Chunk | None) -> Intent | None:
    if chunk is None:
        return None
    return Intent(
        first_offset=chunk.first,
        last_offset=chunk.stop - 1,
        decided_at_us=chunk.decided,
        dedupe_floor=0,
        price_version="",
        cubes_version="",
    )
