"""The margins of a QueryStore in memory: plain Python over rows of the log."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from inferometer.core.query.assembly import number
from inferometer.core.query.margins import Margin, MarginOrder, Margins
from inferometer.testing.query_sums import SUCCESS, GroupSums, folded_text, matches, placed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from inferometer.core.query.answers import Number
    from inferometer.core.query.margins import MarginsPlan
    from inferometer.core.query.questions import TimeRange

Row = dict[str, Any]
_NOTHING: frozenset[str] = frozenset()


class MemoryMargins:
    """That part of a store in memory."""

    rows: list[Row]
    folded_values: Mapping[str, frozenset[str]]
    asked_margins: list[MarginsPlan]
    """Every plan that was answered, in order."""

    def margins(self, plan: MarginsPlan) -> Margins:
        """Return measures by the values of dimensions; see `QueryStore.margins`."""
        self._ask()
        self.asked_margins.append(plan)
        chosen = [row for row in self.rows if self._is_asked(row, plan)]
        values = {name: self._values(chosen, name, plan) for name in plan.dimensions}
        return Margins(_margin(chosen, plan), values)

    def _is_asked(self, row: Row, plan: MarginsPlan) -> bool:
        at = placed(row["ts_end"], plan.relation.window_s)
        return (
            plan.workspace_id in {None, row["workspace_id"]}
            and any(span.start <= at < span.end for span in (plan.during, plan.before))
            and all(
                matches({each.dimension: self._text(row, each.dimension, plan)}, each)
                for each in plan.filters
            )
        )

    def _text(self, row: Row, dimension: str, plan: MarginsPlan) -> str:
        value = text_of(row, dimension)
        if plan.relation.is_log:
            return value
        return folded_text(value, self.folded_values.get(dimension, _NOTHING))

    def _values(self, rows: Iterable[Row], dimension: str, plan: MarginsPlan) -> dict[str, Margin]:
        groups: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            groups[self._text(row, dimension, plan)].append(row)
        found = {value: _margin(members, plan) for value, members in groups.items()}

        def place(value: str) -> tuple[float, float, str]:
            now, before = (float(side[0] or 0) for side in (found[value].now, found[value].before))
            first = now if plan.order is MarginOrder.NOW else abs(now - before)
            return -first, -now, value

        return {value: found[value] for value in sorted(found, key=place)[: plan.most_values]}

    def _ask(self) -> None:
        """Fail where a test has asked for it."""


def _margin(rows: Iterable[Row], plan: MarginsPlan) -> Margin:
    now, before = GroupSums(), GroupSums()
    for row in rows:
        at = placed(row["ts_end"], plan.relation.window_s)
        is_now = plan.during.start <= at < plan.during.end
        is_counted = plan.statuses == "all" or text_of(row, "status_class") == SUCCESS
        (now if is_now else before).add(row, counts_latency=is_counted)
    return Margin(_side(now, plan, plan.during), _side(before, plan, plan.before))


def _side(sums: GroupSums, plan: MarginsPlan, span: TimeRange) -> tuple[Number, ...]:
    length_s = (span.end - span.start).total_seconds()
    return tuple(number(sums.value(measure.form, length_s)) for measure in plan.measures)
