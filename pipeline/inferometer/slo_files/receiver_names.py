"""The receivers that objectives name, against those that there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferometer.core.slo.dimensions import close_name
from inferometer.slo_files.findings import Finding, Place

if TYPE_CHECKING:
    from collections.abc import Collection

    from inferometer.slo_files.loading import SloFiles


def unknown_receivers(found: SloFiles, known: Collection[str]) -> tuple[Finding, ...]:
    """Return a problem for each receiver that an objective, budget or rule names in vain."""
    declared = [
        *(("slo", slo.name, slo.source, slo.receivers) for slo in found.slos),
        *(("budget", one.name, one.source, one.receivers) for one in found.budgets),
        *(("rule", one.name, one.source, one.receivers) for one in found.rules),
    ]
    return tuple(
        Finding(_place(source), f"{kind} {name}", _text(receiver, known))
        for kind, name, source, receivers in declared
        for receiver in receivers
        if receiver not in known
    )


def _place(source: str) -> Place:
    file, _, line = source.rpartition(":")
    return Place(file, int(line)) if file and line.isdigit() else Place(source, 0)


def _text(receiver: str, known: Collection[str]) -> str:
    meant = close_name(receiver, known)
    hint = f"did you mean {meant}?" if meant else f"known are {', '.join(sorted(known)) or 'none'}"
    return f"receiver {receiver!r} is not in the receivers file; {hint}"
