"""Makes the objective of a case, with the rules that are shipped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferometer.core.slo.definitions import Availability, OutageRule, Severity, Slo
from inferometer.slo_files import shipped_burn_windows

if TYPE_CHECKING:
    from tests.incidents.scenario import Case


def slo_of(case: Case, *, group_by: tuple[str, ...] = (), pages_only: bool = False) -> Slo:
    """Return the objective of a case with the shipped rules."""
    windows = shipped_burn_windows()
    if pages_only:
        windows = tuple(each for each in windows if each.severity is Severity.PAGE)
    return Slo(
        name="chat-success",
        workspace="acme",
        service="chat-api",
        indicator=Availability(),
        objective=case.objective,
        group_by=group_by,
        burn_windows=windows,
        outage=OutageRule(),
    )
