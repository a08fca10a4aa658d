"""What SLO files declare, as investigations ask for it; implements the port Objectives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferometer.core.alerts.notices import Family
from inferometer.core.query.objective_facts import facts_of
from inferometer.core.slo.subject_definitions import definition_of_rule

if TYPE_CHECKING:
    from inferometer.core.query.objective_facts import ObjectiveFacts
    from inferometer.runtime.alert_setup import AlertSetup


class DeclaredObjectives:
    """`Objectives` of one setup."""

    def __init__(self, setup: AlertSetup) -> None:
        declared = setup.declared
        self._found: dict[tuple[str, str, str], ObjectiveFacts] = {
            **{(Family.SLO, each.workspace, each.name): facts_of(each) for each in declared.slos},
            **{
                (Family.COST, each.workspace, each.name): facts_of(each)
                for each in declared.budgets
            },
            **{
                (definition_of_rule(each).family, each.workspace, each.name): facts_of(each)
                for each in setup.rules()
            },
        }

    def find(self, family: str, workspace: str, name: str) -> ObjectiveFacts | None:
        """Return the facts of an objective; see `Objectives.find`."""
        return self._found.get((family, workspace, name))
