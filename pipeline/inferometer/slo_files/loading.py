"""Loads SLO files and folders: what can run, and everything that is wrong with the rest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inferometer.core.slo.cautions import cautions, traffic_objections
from inferometer.core.slo.definitions import Slo
from inferometer.core.slo.shipped_rules import shipped_rules
from inferometer.core.slo.soundness import objections
from inferometer.slo_files.documents import MAX_BYTES, read_documents
from inferometer.slo_files.drafts import Drafts, SloDraft
from inferometer.slo_files.findings import Finding, Findings, Place
from inferometer.slo_files.native import read_native
from inferometer.slo_files.openslo import OpenSloObjects
from inferometer.slo_files.parts import FORMAT
from inferometer.slo_files.scopes import overlaps

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from decimal import Decimal

    from inferometer.core.slo.budgets import MoneyBudget
    from inferometer.core.slo.metric_rules import MetricRule
    from inferometer.slo_files.documents import Document

SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class SloFiles:
    """What files declare: all that is sound, and all that is not."""

    slos: tuple[Slo, ...]
    budgets: tuple[MoneyBudget, ...]
    rules: tuple[MetricRule, ...]
    """Those that files declare; one with the name of a shipped rule replaces it."""
    shipped_rules: tuple[MetricRule, ...]
    """Those that files neither replace nor turn off."""
    problems: tuple[Finding, ...]
    """What keeps something from being loaded; sorted by place."""
    cautions: tuple[Finding, ...]
    """What is loaded and deserves a word; sorted by place."""
    files: int
    """How many files were read."""


def load_slo_files(paths: Sequence[Path], *, requests_per_hour: Decimal | None = None) -> SloFiles:
    """Load files, and the YAML files of folders; content never raises, nor does a missing file.

    Args:
        requests_per_hour: expected traffic of one group, for objectives whose file does not tell.
    """
    texts: dict[str, str] = {}
    findings = Findings()
    searched: set[str] = set()
    for path in paths:
        inside = _inside(path, findings) if path.is_dir() else None
        for file in [path] if inside is None else inside:
            text = _text(file, findings)
            if text is not None:
                texts[str(file)] = text
        searched.update(map(str, inside or ()))
    return load_slo_texts(
        texts, findings=findings, requests_per_hour=requests_per_hour, searched=searched
    )


def load_slo_texts(
    texts: Mapping[str, str],
    *,
    findings: Findings | None = None,
    requests_per_hour: Decimal | None = None,
    searched: Collection[str] = (),
) -> SloFiles:
    """Load the texts of files by their names; content never raises.

    Args:
        searched: names of files that nobody named: other formats of ours among them are passed by.
    """
    findings = findings or Findings()
    drafts = Drafts()
    objects = OpenSloObjects(findings)
    for file, text in texts.items():
        for document in read_documents(text, file, findings):
            if not (document.file in searched and _is_other_format(document.value)):
                _take(document, objects, findings, drafts)
    objects.resolve(drafts)
    sound = [draft for draft in drafts.slos if _is_sound(draft, requests_per_hour, findings)]
    refused = overlaps(sound, drafts, findings)
    replaced = {rule.name for rule, _ in drafts.rules if id(rule) not in refused}
    return SloFiles(
        slos=tuple(draft.slo for draft in sound if id(draft.slo) not in refused),
        budgets=tuple(budget for budget, _ in drafts.budgets if id(budget) not in refused),
        rules=tuple(rule for rule, _ in drafts.rules if id(rule) not in refused),
        shipped_rules=tuple(
            rule for rule in shipped_rules() if rule.name in drafts.shipped - replaced
        ),
        problems=tuple(sorted(set(findings.problems))),
        cautions=tuple(sorted(set(findings.cautions))),
        files=len(texts),
    )


def _take(document: Document, objects: OpenSloObjects, findings: Findings, drafts: Drafts) -> None:
    value = document.value
    if not isinstance(value, dict):
        what = "is empty" if value is None else "holds no keys"
        findings.problem(document.place(), f"the document {what}; begin it with format: {FORMAT}")
    elif "apiVersion" in value or "kind" in value:
        objects.add(document)
    elif value.get("version") == "prometheus/v1":
        findings.problem(
            document.place(("version",)),
            "this is a file of Sloth, whose indicators are PromQL; "
            "write the same objectives over request events; inferometer schema slos lists the keys",
        )
    elif _is_other_format(value):
        findings.problem(
            document.place(("format",)),
            f"format {value['format']} is no SLO file; name another, or write format: {FORMAT}",
        )
    elif "format" in value or "slos" in value:
        read_native(document, findings, drafts)
    else:
        findings.problem(
            document.place(),
            f"this is no SLO file; begin it with format: {FORMAT}, or apiVersion: openslo/v1",
        )


def _is_sound(draft: SloDraft, requests_per_hour: Decimal | None, findings: Findings) -> bool:
    rate = draft.requests_per_hour
    rate = requests_per_hour if rate is None else rate
    found = objections(draft.slo)
    if draft.broken:
        found = [objection for objection in found if draft.concerns(objection.part)]
    elif not found and rate is not None:
        found = traffic_objections(draft.slo, rate)
    for objection in found:
        findings.problem(draft.place_of(objection.part), objection.text, subject=draft.subject)
    if found or draft.broken:
        return False
    for caution in cautions(draft.slo, rate):
        findings.caution(draft.place_of(caution.part), caution.text, subject=draft.subject)
    return True


def _is_other_format(value: object) -> bool:
    """Return whether a document is one of our other files: prices, receivers."""
    found = value.get("format") if isinstance(value, dict) else None
    return isinstance(found, str) and found != FORMAT and found.startswith("inferometer.")


def _inside(folder: Path, findings: Findings) -> list[Path]:
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in SUFFIXES and path.is_file() and not _is_hidden(path, folder)
    )
    if not found:
        findings.problem(Place(str(folder), 0), "the folder holds no .yaml file; name another")
    return found


def _is_hidden(path: Path, folder: Path) -> bool:
    """Return whether a part of the path begins with a dot.

    A mounted ConfigMap has its files twice: by their names, and in a folder called `..data`.
    """
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _text(path: Path, findings: Findings) -> str | None:
    place = Place(str(path), 0)
    try:
        data = path.read_bytes()
    except OSError as error:
        findings.problem(place, f"cannot be read ({error.strerror}); check its name and rights")
        return None
    if len(data) > MAX_BYTES:
        findings.problem(place, f"is over {MAX_BYTES >> 20} MiB; split it")
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        findings.problem(Place(str(path), line), "is not UTF-8 text; save it as UTF-8")
        return None
