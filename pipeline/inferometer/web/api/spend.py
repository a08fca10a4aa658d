"""`/forecast`, `/prices`, `/unpriced`, `/reconciliation`: spend to come, prices, bills."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from inferometer.core.query.answer_files import Kind
from inferometer.core.query.reading import read_forecast, read_range
from inferometer.core.query.reconciliation import ProviderAccount, by_provider, days_of
from inferometer.web.api import common_parameters as common
from inferometer.web.api.describing import page
from inferometer.web.api.documents import cost_scope
from inferometer.web.api.formats import CSV_TEXTS, FORMAT, Format
from inferometer.web.api.list_files import columns_of, opened_list
from inferometer.web.api.parameters import Text
from inferometer.web.api.pipeline_documents import (
    ForecastDocument,
    PricesDocument,
    ReconciliationDocument,
    UnpricedDocument,
)
from inferometer.web.identity.roles import Role

if TYPE_CHECKING:
    from inferometer.core.query.answers import Forecast
    from inferometer.core.query.asked import ForecastQuery
    from inferometer.core.query.questions import TimeRange
    from inferometer.web.api.desk import Desk
    from inferometer.web.api.services import Services
    from inferometer.web.api.workers import Opened

AT = Text("at", "The instant, written as `to`.", default="now", max_chars=64)
FORECAST = (common.WORKSPACE, common.TIME_ZONE, common.FILTER)
PRICES = (AT, common.TIME_ZONE)
UNPRICED = (common.WORKSPACE, *common.RANGE)
RECONCILIATION = (*common.RANGE, FORMAT)
_COLUMNS_OF_DAYS = columns_of(
    day=Kind.DAY,
    provider=Kind.TEXT,
    priced_usd=Kind.MONEY,
    billed_usd=Kind.MONEY,
    difference_usd=Kind.MONEY,
    difference_ratio=Kind.NUMBER,
    attempts=Kind.WHOLE,
    unpriced_requests=Kind.WHOLE,
    partially_priced_requests=Kind.WHOLE,
)


def spend_routes(desk: Desk, services: Services) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["cost"])

    @routes.get(
        "/forecast",
        **page(ForecastDocument, "Spend of this calendar month, projected to its end.", FORECAST),
    )
    async def forecast(request: Request) -> Response:
        call = await desk.call(request, FORECAST, is_read_elsewhere=True)
        query = call.read(read_forecast)
        return await desk.answer(call, lambda: _forecast_json(query, services.forecast(query)))

    @routes.get("/prices", **page(PricesDocument, "The price book in force at an instant.", PRICES))
    async def prices(request: Request) -> Response:
        call = await desk.call(request, PRICES)
        at = call.instant(AT)
        call.asked.check()
        return await desk.answer(call, lambda: {"at": at, "prices": services.store.prices(at)})

    @routes.get(
        "/unpriced",
        **page(UnpricedDocument, "Models with attempts that lack a price, in a span.", UNPRICED),
    )
    async def unpriced(request: Request) -> Response:
        call = await desk.call(request, UNPRICED)
        span = call.span(read_range)
        return await desk.answer(call, lambda: _unpriced_json(services, call.workspace_id, span))

    @routes.get(
        "/reconciliation",
        **page(
            ReconciliationDocument,
            "What was priced beside what providers billed, by UTC day. A bill is of the platform as "
            "a whole, so this needs an admin's token of all workspaces. As CSV, JSON lines or Parquet: "
            f"a row a day and provider, exact decimals for money; {CSV_TEXTS}.",
            RECONCILIATION,
            role=Role.ADMIN,
        ),
    )
    async def reconciliation(request: Request) -> Response:
        call = await desk.call(request, RECONCILIATION, role=Role.ADMIN, all_workspaces=True)
        form = desk.form(call)
        span = call.span(read_range)
        if form is not Format.JSON:
            return await desk.export(
                call, "reconciliation", form, lambda: _reconciliation_file(services, span, form)
            )
        return await desk.answer(call, lambda: _reconciliation_json(services, span))

    return routes


def _forecast_json(query: ForecastQuery, answer: Forecast) -> dict[str, Any]:
    return {
        "month": answer.month,
        "spent_usd": answer.spent_usd,
        "projected_usd": answer.projected_usd,
        "low_usd": answer.low_usd,
        "high_usd": answer.high_usd,
        "method": answer.method,
        "days": [
            {"date": day, "cost_usd": amount, "is_measured": is_measured}
            for day, amount, is_measured in answer.days
        ],
        "cost_scope": cost_scope(query.workspace_id, query.filters),
    }


def _unpriced_json(services: Services, workspace_id: str | None, span: TimeRange) -> dict[str, Any]:
    return {
        "models": services.store.unpriced(workspace_id, span),
        "from": span.start,
        "to": span.end,
    }


def _reconciliation_file(services: Services, span: TimeRange, form: Format) -> Opened:
    return opened_list(services.store.reconciliation(*days_of(span)), _COLUMNS_OF_DAYS, form)


def _reconciliation_json(services: Services, span: TimeRange) -> dict[str, Any]:
    first_day, last_day = days_of(span)
    rows = services.store.reconciliation(first_day, last_day)
    return {
        "providers": [_account_json(account) for account in by_provider(rows)],
        "days": rows,
        "first_day": first_day,
        "last_day": last_day,
        "cost_scope": cost_scope(None, ()),
    }


def _account_json(account: ProviderAccount) -> dict[str, Any]:
    return {
        "provider": account.provider,
        "compared_days": account.compared_days,
        "priced_usd": account.priced_usd if account.compared_days else None,
        "billed_usd": account.billed_usd if account.compared_days else None,
        "difference_usd": account.difference_usd,
        "difference_ratio": account.difference_ratio,
        "only_priced_usd": account.only_priced_usd,
        "only_billed_usd": account.only_billed_usd,
        "unpriced_requests": account.unpriced_requests,
        "partially_priced_requests": account.partially_priced_requests,
    }
