"""Burn windows from files: the shipped sets, those that a file names, and those of one objective."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from inferometer.core.slo.definitions import DEFAULT_PERIOD_S, BurnWindow, Severity
from inferometer.core.slo.dimensions import close_name
from inferometer.errors import ConfigError
from inferometer.slo_files.checking import checked
from inferometer.slo_files.documents import read_documents
from inferometer.slo_files.findings import Findings, Place
from inferometer.slo_files.part_types import Part
from inferometer.slo_files.parts import WindowPart

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inferometer.slo_files.documents import Document

SHIPPED_FILE = "burn_windows.yaml"
SHIPPED_SET = "workbook"
SHORTS = 12
"""The SRE workbook's ratio of a long window to its short one."""
SIGNIFICANCE = {Severity.PAGE: Decimal("0.001"), Severity.TICKET: Decimal("0.01")}
LARGEST_DIFFERENCE = Decimal("0.01")
"""By how much of itself a burn rate may differ from what its budget share says."""

Path = tuple[str | int, ...]


class _ShippedFile(Part):
    burn_windows: dict[str, list[WindowPart]]


@cache
def shipped_sets() -> dict[str, tuple[WindowPart, ...]]:
    """Return the sets of windows that ship, by name. Raises ConfigError for a damaged installation."""
    text = resources.files("inferometer.slo_files").joinpath(SHIPPED_FILE).read_text("utf-8")
    findings = Findings()
    (document,) = read_documents(text, SHIPPED_FILE, findings)
    found = checked(_ShippedFile, document.value, document=document, path=(), findings=findings)
    if found is None:
        raise ConfigError([str(finding) for finding in findings.problems])
    return {name: tuple(parts) for name, parts in found.burn_windows.items()}


def shipped_burn_windows(period_s: int = DEFAULT_PERIOD_S) -> tuple[BurnWindow, ...]:
    """Return the default windows: the SRE workbook's, from budget shares."""
    return tuple(burn_window(part, period_s)[0] for part in shipped_sets()[SHIPPED_SET])


def burn_window(part: WindowPart, period_s: int) -> tuple[BurnWindow, str]:
    """Return a window, and what contradicts itself in it, or ""."""
    problem = ""
    share = part.budget_share
    if part.burn is not None:
        share_of_burn = part.burn * part.long / period_s
        if share is None:
            share = share_of_burn
        elif abs(share_of_burn - share) > share * LARGEST_DIFFERENCE:
            burn = share * period_s / part.long
            problem = (
                f"{part.name}: burn {part.burn} and budget_share {share} contradict each other; "
                f"the share is a burn rate of {float(burn):.6g}; leave one of them out"
            )
    elif share is None:
        problem = f"{part.name}: how fast is missing; add budget_share: 0.02, or burn: 14.4"
    significance = part.significance
    if significance is None:
        significance = SIGNIFICANCE[part.severity]
    window = BurnWindow(
        name=part.name,
        severity=part.severity,
        long_s=part.long,
        short_s=part.short if part.short is not None else part.long // SHORTS,
        budget_share=share if share is not None else Decimal(1),
        significance=float(significance),
    )
    return window, problem


class WindowSets:
    """The sets that the objectives of one file can name."""

    def __init__(self, own: Mapping[str, Sequence[WindowPart]], document: Document) -> None:
        self._document = document
        self._sets = {**shipped_sets(), **own}
        self._places: dict[str, Path] = {name: ("burn_windows", name) for name in own}

    def resolve(
        self, items: Sequence[Any], period_s: int, path: Path, findings: Findings, subject: str
    ) -> list[tuple[BurnWindow, Place]] | None:
        """Return an objective's windows, each with its place; None once problems are noted."""
        found: list[tuple[BurnWindow, Place]] = []
        is_sound = True
        for index, item in enumerate(items):
            at = (*path, index)
            parts = self._parts(item, at, findings, subject)
            is_sound = is_sound and parts is not None
            for part, place in parts or ():
                window, problem = burn_window(part, period_s)
                if problem:
                    is_sound = False
                    findings.problem(place, problem, subject=subject)
                found.append((window, place))
        return found if is_sound else None

    def _parts(
        self, item: Any, path: Path, findings: Findings, subject: str
    ) -> list[tuple[WindowPart, Place]] | None:
        place = self._document.place(path)
        if not isinstance(item, str):
            part = checked(
                WindowPart,
                item,
                document=self._document,
                path=path,
                findings=findings,
                subject=subject,
            )
            return None if part is None else [(part, place)]
        if item in self._sets:
            start = self._places.get(item)
            return [
                (part, self._document.place((*start, index)) if start else place)
                for index, part in enumerate(self._sets[item])
            ]
        single = {part.name: part for parts in shipped_sets().values() for part in parts}
        if item in single:
            return [(single[item], place)]
        known = [*self._sets, *single]
        meant = close_name(item, known)
        hint = f"did you mean {meant}?" if meant else f"known are {', '.join(known)}"
        findings.problem(place, f"unknown burn window {item}; {hint}", subject=subject)
        return None
