"""Answers how models did side by side, each beside itself in the span before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inferometer.core.query.asked import ModelsAnswer, ModelsQuery
from inferometer.core.query.catalogue import measure, quantile_of, ratio_of
from inferometer.core.query.planning import range_length_s
from inferometer.core.query.questions import Comparison, Granularity, MetricsQuery
from inferometer.core.query.relations import cube_relations
from inferometer.jobs.answer_metrics import AnswerMetrics

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from inferometer.core.query.answers import Number, Series
    from inferometer.query_ports import QueryStore

MOST_MODELS = 200
OF_MODELS = (
    "requests", "rpm", "tpm", "success_ratio", "failure_ratio", "e2e_mean_ms", "input_tokens",
    "output_tokens", "cost_usd", "cost_per_request_usd",
)  # fmt: skip
"""Measures that keep their names in a row."""
DURATIONS_OF_MODELS = ("ttft", "e2e", "itl", "tpot")
"""Their percentile is `<duration>_ms` in a row."""


class AnswerModels:
    """The job; may be called from several threads."""

    def __init__(self, store: QueryStore, clock: Callable[[], datetime]) -> None:
        self._answer = AnswerMetrics(store, clock)

    def __call__(self, query: ModelsQuery) -> ModelsAnswer:
        """Return one row a model. Raises QueryRefusedError, QueryTooCostlyError, StoreError."""
        names = _names(query)
        answer = self._answer(
            MetricsQuery(
                workspace_id=query.workspace_id,
                measures=tuple(measure(name) for name in names),
                time_range=query.time_range,
                granularity=Granularity.TOTAL,
                group_by=_group_by(query),
                filters=query.filters,
                top=MOST_MODELS,
                comparison=Comparison.PREVIOUS,
            )
        )
        before = {
            tuple(series.group.items()): series.total
            for series in (answer.compared.series if answer.compared else ())
        }
        return ModelsAnswer(
            rows=[
                _row(series, before.get(tuple(series.group.items())), names)
                for series in answer.series
            ],
            time_range=answer.plan.time_range,
            freshness=answer.freshness,
            coverage=answer.coverage,
            percentile=ratio_of(query.percentile),
            span_s=range_length_s(answer.plan),
            notes=answer.notes,
        )


def _names(query: ModelsQuery) -> dict[str, str]:
    """Return measures by their names, each with the name that a row has for it."""
    quantiles = {
        quantile_of(duration, query.percentile).name: f"{duration}_ms"
        for duration in DURATIONS_OF_MODELS
    }
    return {**{name: name for name in OF_MODELS}, **quantiles}


def _group_by(query: ModelsQuery) -> tuple[str, ...]:
    filtered = [condition.dimension for condition in query.filters]
    both = ("model", "provider")
    # The provider is not worth the log: where only a cube without it serves, it is left out.
    if cube_relations((*both, *filtered), ()) or not cube_relations(("model", *filtered), ()):
        return both
    return ("model",)


def _row(series: Series, before: dict[str, Number] | None, names: dict[str, str]) -> dict[str, Any]:
    return {
        **series.group,
        "is_other": series.is_other,
        **{shown: series.total[name] for name, shown in names.items()},
        "previous": before and {shown: before[name] for name, shown in names.items()},
    }
