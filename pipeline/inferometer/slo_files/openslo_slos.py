"""Turns one OpenSLO SLO, with the objects that it refers to, into an objective."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from inferometer.core.slo.definitions import Tier
from inferometer.core.slo.dimensions import close_name
from inferometer.core.slo.spans import parse_span_s
from inferometer.slo_files.building import build_slo
from inferometer.slo_files.checking import checked
from inferometer.slo_files.drafts import SloDraft
from inferometer.slo_files.openslo_alerts import PolicyReader
from inferometer.slo_files.openslo_indicators import indicator_of
from inferometer.slo_files.openslo_parts import DOMAIN, SliSpec, SloSpec
from inferometer.slo_files.parts import SloDefaults
from inferometer.slo_files.windows import shipped_burn_windows

if TYPE_CHECKING:
    from inferometer.core.alerts.matchers import Matcher
    from inferometer.core.slo.definitions import BurnWindow, Indicator
    from inferometer.core.slo.soundness import Part
    from inferometer.slo_files.findings import Place
    from inferometer.slo_files.openslo import OpenSloObject, OpenSloObjects
    from inferometer.slo_files.openslo_parts import Objective

Path = tuple[str | int, ...]

LISTS = ("group_by", "receivers")
SWITCHES = {"on": True, "true": True, "off": False, "false": False}
CLASS = "class"
"""Annotation for the workbook's request classes; it becomes a label."""
ANNOTATED = frozenset(SloDefaults.model_fields) - {
    "annotations", "burn_windows", "labels", "period", "service", "where",
}  # fmt: skip
"""Keys of the native file that annotations carry; for the others OpenSLO has places of its own."""
TIERS = frozenset(Tier)
"""Labels are anybody's: one called tier counts only where it has one of our values."""
PART_PATHS: dict[str, Path] = {
    "name": ("metadata", "name"),
    "service": ("spec", "service"),
    "objective": ("spec", "objectives", 0),
    "period_s": ("spec", "timeWindow", 0),
    "indicator": ("spec", "indicator"),
    "selector": ("spec", "indicator"),
    "burn_windows": ("spec", "alertPolicies"),
}
"""Where an object holds what a field of `Slo` is made from; the others are annotations."""


class SloReader:
    """Reads one SLO; each problem is noted, none hides another."""

    def __init__(self, source: OpenSloObject, objects: OpenSloObjects) -> None:
        self._source = source
        self._objects = objects
        self._findings = objects.findings
        self._is_sound = True

    def draft(self) -> SloDraft | None:
        """Return the objective, or None once its problems are noted."""
        spec = self._source.spec(SloSpec, self._findings)
        shared, origins = self._annotated()
        if spec is None or shared is None:
            return None
        period_s = self._period_s(spec)
        objective, target = self._objective(spec)
        found = self._indicator(spec, objective)
        windows, shared = self._alerts(spec, period_s, shared)
        if found is None or not self._is_sound:
            return None
        indicator, selector = found
        place = self._source.place()
        slo = build_slo(
            shared.model_copy(
                update={"service": spec.service, "period": period_s, "where": selector}
            ),
            name=self._source.name,
            description=spec.description,
            indicator=indicator,
            objective=target,
            windows=tuple(window for window, _ in windows),
            source=str(place),
        )
        places = [found for _, found in windows]
        return SloDraft(
            slo,
            place,
            lambda part: self._place_of(part, origins, places),
            shared.requests_per_hour,
        )

    def _problem(self, text: str, *path: str | int) -> None:
        self._is_sound = False
        self._findings.problem(self._source.place(*path), text, subject=self._source.subject)

    def _annotated(self) -> tuple[SloDefaults | None, dict[str, Path]]:
        """Return what our annotations and the labels say, and where."""
        metadata = self._source.envelope.metadata
        keys: dict[str, Any] = {"labels": dict(metadata.labels), "annotations": {}}
        if "team" in metadata.labels:
            keys["owner"] = metadata.labels["team"]
        if metadata.labels.get("tier") in TIERS:
            keys["tier"] = metadata.labels["tier"]
        origins: dict[str, Path] = {}
        for name, text in metadata.annotations.items():
            key = name.removeprefix(DOMAIN).replace("-", "_")
            if not name.startswith(DOMAIN):
                keys["annotations"][name] = text
            elif key == CLASS:
                keys["labels"][CLASS] = text
            elif key in ANNOTATED:
                origins[key] = (*self._source.path, "metadata", "annotations", name)
                keys[key] = _value(key, text)
            else:
                meant = close_name(key, ANNOTATED).replace("_", "-")
                hint = f"did you mean {DOMAIN}{meant}?" if meant else "remove it"
                self._problem(f"unknown annotation {name}; {hint}", "metadata", "annotations", name)
        found = checked(
            SloDefaults,
            keys,
            document=self._source.document,
            path=(*self._source.path, "metadata"),
            findings=self._findings,
            subject=self._source.subject,
            origins=origins,
        )
        return found, origins

    def _period_s(self, spec: SloSpec) -> int:
        if spec.budgeting_method != "Occurrences":
            self._problem(
                f"budgetingMethod {spec.budgeting_method} is not counted; write Occurrences "
                "(for money by the minute use the field cost_usd_per_minute)",
                "spec", "budgetingMethod",
            )  # fmt: skip
        if not spec.time_window:
            self._problem(
                "timeWindow is missing; add timeWindow: [{duration: 30d, isRolling: true}]", "spec"
            )
            return SloDefaults.model_fields["period"].get_default()  # type: ignore[no-any-return]  # pydantic does not tell
        window = spec.time_window[0]
        at = ("spec", "timeWindow", 0)
        if not window.is_rolling or window.calendar is not None:
            self._problem(
                "a calendar window is not kept for objectives; write isRolling: true "
                "(budgets of money have calendar periods)",
                *at,
            )
        return self._span_s(window.duration, *at, "duration")

    def _span_s(self, text: str, *path: str | int) -> int:
        if text[-1:] in {"M", "Q", "Y"}:
            self._problem(f"{text} has no fixed length; write days, such as 30d", *path)
            return 30 * 86_400
        try:
            return parse_span_s(text)
        except ValueError as error:
            self._problem(str(error), *path)
            return 30 * 86_400

    def _objective(self, spec: SloSpec) -> tuple[Objective | None, Decimal]:
        if len(spec.objectives) != 1:
            self._problem(
                f"it has {len(spec.objectives)} objectives; write an SLO for each",
                "spec", "objectives",
            )  # fmt: skip
            return None, Decimal(0)
        found = spec.objectives[0]
        at = ("spec", "objectives", 0)
        for key, value in (
            ("timeSliceTarget", found.time_slice_target),
            ("timeSliceWindow", found.time_slice_window),
            ("compositeWeight", found.composite_weight),
            ("indicator", found.indicator),
            ("indicatorRef", found.indicator_ref),
        ):
            if value:
                self._problem(f"{key} is not read in an objective; remove it", *at, key)
        if (found.target is None) == (found.target_percent is None):
            self._problem("give either target: 0.999 or targetPercent: 99.9", *at)
            return found, Decimal(0)
        if found.target is not None:
            return found, found.target
        return found, (found.target_percent or Decimal(0)) / 100

    def _indicator(
        self, spec: SloSpec, objective: Objective | None
    ) -> tuple[Indicator, list[Matcher]] | None:
        if (spec.indicator is None) == (not spec.indicator_ref):
            self._problem("give either indicator or indicatorRef", "spec")
            return None
        path: Path
        if spec.indicator is not None:
            item, path = spec.indicator, ("spec", "indicator")
        else:
            item, path = {"indicatorRef": spec.indicator_ref}, ("spec",)
        source = self._objects.referred("SLI", item, "indicatorRef", self._source, path)
        sli = None if source is None else source.spec(SliSpec, self._findings)
        if source is None or sli is None:
            self._is_sound = False
            return None
        try:
            return indicator_of(sli, objective, self._objects.data_source_types())
        except ValueError as error:
            self._is_sound = False
            self._findings.problem(source.place("spec"), str(error), subject=self._source.subject)
            return None

    def _alerts(
        self, spec: SloSpec, period_s: int, shared: SloDefaults
    ) -> tuple[list[tuple[BurnWindow, Place]], SloDefaults]:
        """Return the burn windows with their places, and what the policies say beside them."""
        if not spec.alert_policies:
            place = self._source.place("spec")
            return [(window, place) for window in shipped_burn_windows(period_s)], shared
        reader = PolicyReader(self._objects, period_s)
        for index, item in enumerate(spec.alert_policies):
            path = ("spec", "alertPolicies", index)
            policy = self._objects.referred(
                "AlertPolicy", item, "alertPolicyRef", self._source, path
            )
            if policy is None or not reader.read(policy):
                self._is_sound = False
        update: dict[str, Any] = {
            "receivers": list(dict.fromkeys([*shared.receivers, *reader.receivers]))
        }
        copied = shared.model_copy(update=update)
        if "absence" not in shared.model_fields_set:
            absence = SloDefaults.model_validate({"absence": reader.alerts_on_no_data})
            copied = copied.model_copy(update={"absence": absence.absence})
        return reader.windows, copied

    def _place_of(self, part: Part, origins: dict[str, Path], windows: list[Place]) -> Place:
        field, *rest = part
        if field == "burn_windows" and rest:
            return windows[int(rest[0])]
        if str(field) in origins:
            return self._source.document.place(origins[str(field)])
        path = PART_PATHS.get(str(field), ("metadata", "annotations"))
        if self._source.envelope.spec.get("indicatorRef") and path == ("spec", "indicator"):
            path = ("spec", "indicatorRef")
        return self._source.place(*path)


def _value(key: str, text: str) -> object:
    """Return an annotation, which is always a text, as the value that the native file has."""
    if key in LISTS:
        return [item.strip() for item in text.split(",") if item.strip()]
    if key == "min_distinct_principals" and text.isdigit():
        return int(text)
    return SWITCHES.get(text.lower(), text)
