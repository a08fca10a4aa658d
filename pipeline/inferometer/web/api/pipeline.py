"""`/pipeline` and `/dead-letters`: whether everything arrives, and what did not."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from inferometer.core.query.cursors import decode_mark, encode_mark
from inferometer.core.query.reading import read_range
from inferometer.web.api import common_parameters as common
from inferometer.web.api.describing import page
from inferometer.web.api.documents import freshness_json
from inferometer.web.api.parameters import Text, Whole
from inferometer.web.api.pipeline_documents import DeadLettersDocument, PipelineDocument
from inferometer.web.identity.roles import Role

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from inferometer.core.query.pipeline_facts import PipelineAnswer
    from inferometer.core.query.questions import TimeRange
    from inferometer.web.api.desk import Desk
    from inferometer.web.api.services import Services

SHOWN_BYTES = 64 * 1024
"""Of one dead letter: a page of them must not fill a browser. `inferometer dead-letters` has all."""

PIPELINE = common.RANGE
REASON = Text("reason", "Only those of this reason.", max_chars=128)
LIMIT = Whole("limit", "How many rows at most.", 50, least=1, most=200)
DEAD_LETTERS = (*common.RANGE, REASON, LIMIT, common.CURSOR)


def pipeline_routes(desk: Desk, services: Services) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["pipeline"])

    @routes.get(
        "/pipeline",
        **page(
            PipelineDocument,
            "Whether everything arrives. Needs a token of all workspaces.",
            PIPELINE,
        ),
    )
    async def pipeline(request: Request) -> Response:
        call = await desk.call(request, PIPELINE, all_workspaces=True)
        span = call.span(read_range)
        return await desk.answer(
            call, lambda: _pipeline_json(services.pipeline(span), services.clock())
        )

    @routes.get(
        "/dead-letters",
        **page(
            DeadLettersDocument,
            "Events that were refused, with their bytes. Needs a token of all workspaces.",
            DEAD_LETTERS,
            role=Role.OPERATOR,
        ),
    )
    async def dead_letters(request: Request) -> Response:
        call = await desk.call(request, DEAD_LETTERS, role=Role.OPERATOR, all_workspaces=True)
        reason, limit = call.asked[REASON], call.asked[LIMIT]
        cursor = call.asked[common.CURSOR]
        before = call.attempt(lambda: decode_mark(_scope(reason), cursor)) if cursor else None
        span = call.span(read_range)
        return await desk.answer(
            call, lambda: _dead_letters_json(services, span, reason, limit, before)
        )

    return routes


def _scope(reason: str) -> str:
    return f"dead-letters {reason}"


def _pipeline_json(answer: PipelineAnswer, now: datetime) -> dict[str, Any]:
    return {
        "partitions": answer.partitions,
        "freshness": freshness_json(answer.freshness, now),
        "dead_letters": answer.dead_letters,
        "folded": answer.folded,
        "ledger": answer.ledger,
        "checks": [
            {"name": each.name, "is_ok": each.is_ok, "detail": each.detail}
            for each in answer.checks
        ],
    }


def _dead_letters_json(
    services: Services, span: TimeRange, reason: str, limit: int, before: tuple[int, str] | None
) -> dict[str, Any]:
    rows = services.store.dead_letters(span, reason=reason, limit=limit, before=before)
    return {
        "rows": [_dead_letter_json(row) for row in rows],
        "next_cursor": encode_mark(_scope(reason), _place(rows)) if len(rows) == limit else None,
    }


def _place(rows: Sequence[dict[str, Any]]) -> tuple[int, str]:
    last = rows[-1]
    at: datetime = last["decided_at"]
    return int(at.timestamp()) * 1_000_000 + at.microsecond, str(last["place"])


def _dead_letter_json(row: dict[str, Any]) -> dict[str, Any]:
    value: bytes = row["value"]
    shown = value[:SHOWN_BYTES]
    said = {name: each for name, each in row.items() if name not in {"value", "place"}}
    return {
        **said,
        "size_bytes": len(value),
        "is_cut": len(shown) < len(value),
        "text": _text(shown, is_cut=len(shown) < len(value)),
        "base64": base64.b64encode(shown).decode(),
    }


def _text(value: bytes, *, is_cut: bool) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        # The cut may go through a character.
        if is_cut and error.start >= len(value) - 3:
            return value[: error.start].decode()
        return None
