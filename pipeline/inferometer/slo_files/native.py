"""Reads the native SLO file: defaults, sets of burn windows, objectives, budgets and rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from inferometer.core.slo.definitions import Availability, BatchIsolation, Cost, Latency
from inferometer.slo_files.budget_parts import BudgetPart
from inferometer.slo_files.building import build_slo
from inferometer.slo_files.checking import checked, without
from inferometer.slo_files.drafts import SloDraft
from inferometer.slo_files.money import budget, budget_problems, metric_rule, rule_problems
from inferometer.slo_files.part_types import OwnedPart
from inferometer.slo_files.parts import AvailabilityPart, SloDefaults, SloFile, SloPart
from inferometer.slo_files.rule_parts import RulePart
from inferometer.slo_files.windows import WindowSets

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from inferometer.core.slo.definitions import Indicator, Slo
    from inferometer.core.slo.soundness import Part
    from inferometer.slo_files.documents import Document
    from inferometer.slo_files.drafts import Drafts
    from inferometer.slo_files.findings import Findings, Place
    from inferometer.slo_files.money import Problem
    from inferometer.slo_files.parts import IndicatorPart

Path = tuple[str | int, ...]
Model = TypeVar("Model", bound=OwnedPart)

KEY_OF = {
    "selector": "where",
    "period_s": "period",
    "keep_firing_s": "keep_firing_for",
}
"""Fields of `Slo` that the file calls otherwise."""
_FIELD_OF = {key: field for field, key in KEY_OF.items()}
MERGED = ("labels", "annotations")
"""Keys of which an objective adds to the defaults instead of replacing them."""
LISTS = ("slos", "budgets", "rules")


def read_native(document: Document, findings: Findings, drafts: Drafts) -> None:
    """Add what a native document declares to the drafts; each problem is noted, none stops others."""
    reader = _Reader(document, findings)
    if reader.shipped_rules is not None:
        drafts.shipped.intersection_update(reader.shipped_rules)
    for index, value in reader.items("slos"):
        draft = reader.slo(value, ("slos", index))
        if draft is not None:
            drafts.slos.append(draft)
    for index, value in reader.items("budgets"):
        place = document.place(("budgets", index))
        found = reader.sound("budget", BudgetPart, value, ("budgets", index), budget_problems)
        if found is not None:
            drafts.budgets.append((budget(found, str(place)), place))
    for index, value in reader.items("rules"):
        place = document.place(("rules", index))
        rule = reader.sound("rule", RulePart, value, ("rules", index), rule_problems)
        if rule is not None:
            drafts.rules.append((metric_rule(rule, str(place)), place))


@dataclass(frozen=True, slots=True)
class _Entry(Generic[Model]):
    """One entry of a list, over the defaults."""

    part: Model
    subject: str
    origins: Mapping[str, Path]
    """Where each key stands."""
    broken: frozenset[str] = frozenset()
    """Keys whose problems are noted, and that are left out so that the others are judged too."""

    @property
    def is_whole(self) -> bool:
        """Whether it may be loaded."""
        return not self.broken


class _Reader:
    """One document, its defaults and its sets of windows."""

    def __init__(self, document: Document, findings: Findings) -> None:
        self._document = document
        self._findings = findings
        root = {key: value for key, value in document.value.items() if key not in LISTS}
        file = checked(
            SloFile, {**root, "defaults": {}}, document=document, path=(), findings=findings
        )
        self._sets = WindowSets({} if file is None else file.burn_windows, document)
        self.shipped_rules = None if file is None else file.shipped_rules
        self._defaults: dict[str, Any] = _mapping(document.value.get("defaults"))
        self._broken = self._broken_defaults()

    def items(self, key: str) -> list[tuple[int, Any]]:
        """Return the entries of a list of the file."""
        value = self._document.value.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            self._findings.problem(
                self._document.place((key,)),
                f"{key}: write a list here: lines that begin with a dash",
            )
            return []
        return list(enumerate(value))

    def slo(self, value: object, path: Path) -> SloDraft | None:
        """Return one objective, or None once its problems are noted."""
        entry = self._entry("slo", SloPart, value, path)
        return None if entry is None else self._draft(entry, path)

    def sound(
        self,
        kind: str,
        model: type[Model],
        value: object,
        path: Path,
        problems: Callable[[Model], list[Problem]],
    ) -> Model | None:
        """Return one budget or rule, or None once its problems are noted."""
        entry = self._entry(kind, model, value, path)
        if entry is None:
            return None
        found = problems(entry.part)
        for inner, text in found:
            key = str(inner[0]) if inner else ""
            if not entry.is_whole and (not key or key in entry.broken):
                # What is left out may be what is missing.
                continue
            at = (*entry.origins.get(key, (*path, key)), *inner[1:]) if inner else path
            self._findings.problem(self._document.place(at), text, subject=entry.subject)
        return entry.part if entry.is_whole and not found else None

    def _entry(
        self, kind: str, model: type[Model], value: object, path: Path
    ) -> _Entry[Model] | None:
        own = _mapping(value)
        subject = f"{kind} {own['name']}" if isinstance(own.get("name"), str) else kind
        shared = SloDefaults if model is SloPart else OwnedPart
        keys = {key for key in self._defaults if key in shared.model_fields}
        relied_on = sorted((self._broken & keys).difference(own))
        for key in relied_on:
            self._findings.problem(
                self._document.place(path),
                f"it is not loaded, because defaults.{key} has a problem; mend that",
                subject=subject,
            )
        merged, origins = self._merged(own, path, keys.difference(self._broken))
        broken: set[str] = set()
        part = checked(
            model,
            merged if isinstance(value, dict) else value,
            document=self._document,
            path=path,
            findings=self._findings,
            subject=subject,
            origins=origins,
            broken=broken,
        )
        if part is None and broken:
            part = without(model, merged, broken)
        if part is None or relied_on:
            return None
        return _Entry(part, subject, origins, frozenset(broken))

    def _draft(self, entry: _Entry[SloPart], path: Path) -> SloDraft | None:
        part, origins, subject = entry.part, entry.origins, entry.subject
        indicator = self._indicator(part.indicator, origins["indicator"], subject)
        windows = self._sets.resolve(
            part.burn_windows,
            part.period,
            origins.get("burn_windows", (*path, "burn_windows")),
            self._findings,
            subject,
        )
        if indicator is None or windows is None:
            return None
        place = self._document.place(path)
        slo = build_slo(
            part,
            name=part.name,
            description=part.description,
            indicator=indicator,
            objective=part.objective,
            windows=tuple(window for window, _ in windows),
            source=str(place),
        )
        places = [found for _, found in windows]
        return SloDraft(
            slo,
            place,
            _places(self._document, slo, path, origins, places),
            part.requests_per_hour,
            broken=frozenset(_FIELD_OF.get(key, key) for key in entry.broken),
        )

    def _indicator(self, part: IndicatorPart, path: Path, subject: str) -> Indicator | None:
        given = [name for name in type(part).model_fields if getattr(part, name) is not None]
        if len(given) == 1:
            return _indicator(part)
        self._findings.problem(
            self._document.place(path),
            "indicator: give exactly one of availability, latency, cost, batch_isolation"
            + (f", not {' and '.join(given)}" if given else ""),
            subject=subject,
        )
        return None

    def _merged(
        self, own: Mapping[str, Any], path: Path, keys: Collection[str]
    ) -> tuple[dict[str, Any], dict[str, Path]]:
        """Return an entry over some of the defaults, and where each key stands."""
        usable = {key: value for key, value in self._defaults.items() if key in keys}
        merged = {**usable, **own}
        for key in MERGED:
            if isinstance(usable.get(key), dict) and isinstance(own.get(key), dict):
                merged[key] = {**usable[key], **own[key]}
        origins: dict[str, Path] = {key: ("defaults", key) for key in usable if key not in own}
        return merged, origins | {key: (*path, key) for key in own}

    def _broken_defaults(self) -> set[str]:
        value = self._document.value.get("defaults")
        if value is None:
            return set()
        broken = set()
        for key, item in self._defaults.items():
            found = checked(
                SloDefaults,
                {key: item},
                document=self._document,
                path=("defaults",),
                findings=self._findings,
                subject="defaults",
            )
            if found is None:
                broken.add(key)
        if not isinstance(value, dict):
            checked(
                SloDefaults,
                value,
                document=self._document,
                path=("defaults",),
                findings=self._findings,
            )
        return broken


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _places(
    document: Document, slo: Slo, path: Path, origins: Mapping[str, Path], windows: list[Place]
) -> Callable[[Part], Place]:
    def place_of(part: Part) -> Place:
        field, *rest = part
        if field == "burn_windows" and rest:
            return windows[int(rest[0])]
        key = KEY_OF.get(str(field), str(field))
        start = origins.get(key, (*path, key))
        if field == "selector" and rest and (*start, rest[0]) not in document.lines:
            rest = [slo.selector[int(rest[0])].name]
        return document.place((*start, *rest))

    return place_of


def _indicator(part: IndicatorPart) -> Indicator:
    if part.latency is not None:
        latency = part.latency
        return Latency(
            duration=latency.of, threshold_us=latency.under, counts_failed=latency.counts_failed
        )
    if part.cost is not None:
        return Cost(per=part.cost.per, threshold_usd=part.cost.under_usd)
    if part.batch_isolation is not None:
        isolation = part.batch_isolation
        return BatchIsolation(duration=isolation.of, allowed=isolation.allowed)
    return _availability(part.availability or AvailabilityPart())


def _availability(part: AvailabilityPart) -> Availability:
    """What one list says is not said again in the other: a class named bad is not excluded."""
    shipped = Availability()
    bad, excluded = (
        None if words is None else frozenset(words) for words in (part.bad, part.excluded)
    )
    return Availability(
        bad=bad if bad is not None else shipped.bad - (excluded or frozenset()),
        excluded=excluded if excluded is not None else shipped.excluded - (bad or frozenset()),
    )
