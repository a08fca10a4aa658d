"""What is remembered of a budget's groups: sums in rings, the period's ledger, and what may teach.

Invariants: everything is a sum of integers, so counts may come in any order and late; what a period
has cost is exact and outlives the rings; an hour that is marked is never learnt from; only prices
count here: bills arrive late, live in the store, and never page.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from inferometer.core.cubes import COST_MEASURE
from inferometer.core.slo.array_texts import packed, unpacked
from inferometer.core.slo.budgets import MoneyBudget, period_bounds_s
from inferometer.core.slo.definitions import DAY_S, HOUR_S
from inferometer.core.slo.forecast import Forecast
from inferometer.core.slo.measure_rings import COARSE, MIDDLE, MeasureRings
from inferometer.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

SNAPSHOT_VERSION = 1
MODEL = "model"
REQUESTS, ATTEMPTS, TOKENS = "requests", "attempts", "tokens"
GROUP_MEASURES = (COST_MEASURE, REQUESTS, ATTEMPTS)
MODEL_MEASURES = (COST_MEASURE, TOKENS)
COST_NEEDS = (COST_MEASURE, REQUESTS, ATTEMPTS, "input_tokens", "output_tokens")
"""Measures that must be counted for a budget, named as in the views."""
KEPT_PERIODS = 2
LONGEST_MARKING_S = 3 * DAY_S
"""What lasts longer than this is the new normal and is learnt from."""


@dataclass(slots=True)
class GroupMemory:
    """What is kept of one group beside its rings."""

    first_s: int
    """The earliest cell that was seen."""
    spent: dict[int, int] = field(default_factory=dict)
    """Pico-dollars by start of the period."""
    untaught: set[int] = field(default_factory=set)
    """Numbers of the hours since 1970 that must not teach."""
    rising_since_s: int | None = None
    models: dict[str, int] = field(default_factory=dict)
    """Places of the group's models in `CostState.models`."""
    learnt_at: tuple[int, int] = (-1, -1)
    """The hour since 1970, and the end of the period, that the forecast is for."""
    forecast: Forecast | None = None
    """Kept with the group, so that a restart in the middle of an hour expects the same."""


@dataclass(slots=True)
class CostState:
    """Groups of one budget, and the models of each."""

    budget: MoneyBudget
    keys: list[tuple[str, ...]] = field(default_factory=list)
    """Values of the budget's `group_by`, by number of the group."""
    memories: list[GroupMemory] = field(default_factory=list)
    rings: MeasureRings = field(default_factory=lambda: MeasureRings(GROUP_MEASURES))
    models: MeasureRings = field(
        default_factory=lambda: MeasureRings(MODEL_MEASURES, (MIDDLE, COARSE))
    )
    _numbers: dict[tuple[str, ...], int] = field(default_factory=dict)
    _period: tuple[int, int] = (0, 0)

    @property
    def group_by(self) -> tuple[str, ...]:
        """The dimensions that its counts must be grouped by: the budget's, and the model."""
        own = self.budget.group_by
        return own if MODEL in own else (*own, MODEL)

    def add(
        self,
        groups: Sequence[tuple[str, ...]],
        group: NDArray[np.int32],
        cells_s: NDArray[np.int64],
        columns: Mapping[str, NDArray[np.int64]],
    ) -> None:
        """Add counts: row i is of `groups[group[i]]`, in the order of `group_by`."""
        tokens = columns["input_tokens"] + columns["output_tokens"]
        for row, (index, cell_s) in enumerate(zip(group.tolist(), cells_s.tolist(), strict=True)):
            values = groups[index]
            cost = int(columns[COST_MEASURE][row])
            number = self._number(values[: len(self.budget.group_by)], cell_s)
            self._spend(self.memories[number], cell_s, cost)
            self.rings.add(
                number,
                cell_s,
                {
                    COST_MEASURE: cost,
                    REQUESTS: int(columns[REQUESTS][row]),
                    ATTEMPTS: int(columns[ATTEMPTS][row]),
                },
            )
            place = self._place(self.memories[number], values[self.group_by.index(MODEL)])
            self.models.add(place, cell_s, {COST_MEASURE: cost, TOKENS: int(tokens[row])})

    def _number(self, key: tuple[str, ...], cell_s: int) -> int:
        number = self._numbers.setdefault(key, len(self.keys))
        if number == len(self.keys):
            self.keys.append(key)
            self.memories.append(GroupMemory(first_s=cell_s))
            self.rings.ensure(number + 1)
        memory = self.memories[number]
        memory.first_s = min(memory.first_s, cell_s)
        return number

    def _spend(self, memory: GroupMemory, cell_s: int, pico: int) -> None:
        start_s = self.period_s(cell_s)[0]
        memory.spent[start_s] = memory.spent.get(start_s, 0) + pico
        for old in sorted(memory.spent)[:-KEPT_PERIODS]:
            del memory.spent[old]

    def period_s(self, at_s: int) -> tuple[int, int]:
        """Return the bounds of the period that holds an instant."""
        if not self._period[0] <= at_s < self._period[1]:
            self._period = period_bounds_s(at_s, self.budget.period, self.budget.zone)
        return self._period

    def advance(self, tick_s: int) -> None:
        """Forget what no rule looks at any more."""
        self.rings.advance(tick_s)
        self.models.advance(tick_s)
        oldest = (tick_s - COARSE.reach_s) // HOUR_S
        for memory in self.memories:
            if memory.untaught and min(memory.untaught) < oldest:
                memory.untaught = {hour for hour in memory.untaught if hour >= oldest}

    def mark(self, number: int, tick_s: int, *, is_rising: bool, is_stale: bool) -> None:
        """Note that the hours up to a tick must not teach, while spending is unusual or unknown."""
        memory = self.memories[number]
        if is_stale:
            memory.untaught.add(tick_s // HOUR_S)
        if not is_rising:
            memory.rising_since_s = None
            return
        if memory.rising_since_s is None:
            memory.rising_since_s = tick_s
        if tick_s - memory.rising_since_s <= LONGEST_MARKING_S:
            memory.untaught |= {tick_s // HOUR_S - 1, tick_s // HOUR_S}

    def accept(self, key: tuple[str, ...]) -> bool:
        """Take what was unusual for normal, from now on, as an operator asks.

        Return whether the group is known.
        """
        if key not in self._numbers:
            return False
        self.memories[self._numbers[key]].untaught.clear()
        return True

    def taught(self, number: int, end_s: int) -> NDArray[np.bool_]:
        """Return which of the hours of `hours` may teach."""
        memory = self.memories[number]
        last = end_s // HOUR_S
        numbers = np.arange(last - (COARSE.cells - 1), last)
        # The hour in which a group appeared is not whole.
        seen = numbers > memory.first_s // HOUR_S
        if memory.untaught:
            seen &= ~np.isin(numbers, np.fromiter(memory.untaught, dtype=np.int64))
        return seen

    def _place(self, memory: GroupMemory, model: str) -> int:
        place = memory.models.setdefault(model, self.models.groups)
        self.models.ensure(place + 1)
        return place

    def snapshot(self, number: int) -> bytes:
        """Return everything that is kept of one group."""
        memory = self.memories[number]
        kept = {
            "version": SNAPSHOT_VERSION,
            "key": self.keys[number],
            "first_s": memory.first_s,
            "spent": list(memory.spent.items()),
            "untaught": sorted(memory.untaught),
            "rising_since_s": memory.rising_since_s,
            "rings": _packed(self.rings, number),
            "learnt_at": memory.learnt_at,
            "forecast": None if memory.forecast is None else memory.forecast.to_json(),
            "models": {
                model: _packed(self.models, place) for model, place in memory.models.items()
            },
        }
        return json.dumps(kept).encode()

    def restore(self, data: bytes) -> int:
        """Return the number of a group after reading it from its snapshot."""
        kept = json.loads(data)
        if kept["version"] != SNAPSHOT_VERSION:
            raise StateError(
                f"a snapshot of budget {self.budget.name} has version {kept['version']}, this "
                f"release reads {SNAPSHOT_VERSION}; start it with the release that wrote it"
            )
        number = self._number(tuple(kept["key"]), kept["first_s"])
        self.memories[number] = GroupMemory(
            first_s=kept["first_s"],
            spent=dict(map(tuple, kept["spent"])),
            untaught=set(kept["untaught"]),
            rising_since_s=kept["rising_since_s"],
            learnt_at=(kept["learnt_at"][0], kept["learnt_at"][1]),
            forecast=kept["forecast"] and Forecast.from_json(kept["forecast"], self.budget.zone),
        )
        _unpack(self.rings, number, kept["rings"])
        for model, cells in kept["models"].items():
            _unpack(self.models, self._place(self.memories[number], model), cells)
        return number


def _packed(rings: MeasureRings, number: int) -> list[Any]:
    return [[newest, packed(cells)] for newest, cells in rings.group_cells(number)]


def _unpack(rings: MeasureRings, number: int, kept: Iterable[Any]) -> None:
    rings.set_group_cells(number, [(newest, unpacked(text, np.int64)) for newest, text in kept])
