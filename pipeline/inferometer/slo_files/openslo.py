"""Collects OpenSLO v1 objects of all files, and follows their references once all are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from inferometer.core.slo.dimensions import close_name
from inferometer.slo_files.checking import checked
from inferometer.slo_files.openslo_parts import API_VERSION, Envelope
from inferometer.slo_files.openslo_slos import SloReader

if TYPE_CHECKING:
    from inferometer.slo_files.documents import Document
    from inferometer.slo_files.drafts import Drafts
    from inferometer.slo_files.findings import Findings, Place

Model = TypeVar("Model", bound=BaseModel)
Path = tuple[str | int, ...]

KINDS = (
    "AlertCondition",
    "AlertNotificationTarget",
    "AlertPolicy",
    "DataSource",
    "SLI",
    "SLO",
    "Service",
)


@dataclass(frozen=True, slots=True)
class OpenSloObject:
    """One object, in a document of its own or inside another object."""

    kind: str
    envelope: Envelope
    document: Document
    path: Path

    @property
    def name(self) -> str:
        """Its name."""
        return self.envelope.metadata.name

    @property
    def subject(self) -> str:
        """What findings call it."""
        return f"{'slo' if self.kind == 'SLO' else self.kind} {self.name}"

    def place(self, *path: str | int) -> Place:
        """Return where a part of it stands."""
        return self.document.place((*self.path, *path))

    def spec(self, model: type[Model], findings: Findings) -> Model | None:
        """Return its spec, or None once every problem is noted."""
        return checked(
            model,
            self.envelope.spec,
            document=self.document,
            path=(*self.path, "spec"),
            findings=findings,
            subject=self.subject,
        )


class OpenSloObjects:
    """Every object that was found, by kind and name."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self._objects: dict[tuple[str, str], OpenSloObject] = {}

    def add(self, document: Document) -> None:
        """Take the object of a document; what is wrong with it is noted."""
        version, kind = document.value.get("apiVersion"), document.value.get("kind")
        if version != API_VERSION:
            self.findings.problem(
                document.place(("apiVersion",)),
                f"apiVersion {version or 'is missing and'} is not read; write {API_VERSION}",
            )
        if kind not in KINDS:
            meant = close_name(str(kind), KINDS)
            hint = f"did you mean {meant}?" if meant else f"known are {', '.join(KINDS)}"
            self.findings.problem(document.place(("kind",)), f"unknown kind {kind}; {hint}")
        if version != API_VERSION or kind not in KINDS:
            return
        found = self._object(str(kind), document.value, document, ())
        if found is None:
            return
        first = self._objects.setdefault((found.kind, found.name), found)
        if first is not found:
            self.findings.problem(
                found.place("metadata", "name"),
                f"a {kind} of this name is at {first.place()}; rename or remove one of them",
                subject=found.subject,
            )

    def resolve(self, drafts: Drafts) -> None:
        """Add every SLO whose parts are all there to the drafts."""
        for found in list(self._objects.values()):
            if found.kind == "SLO":
                draft = SloReader(found, self).draft()
                if draft is not None:
                    drafts.slos.append(draft)

    def data_source_types(self) -> dict[str, str]:
        """Return the type that each DataSource says it is of, by name."""
        return {
            name: str(found.envelope.spec.get("type", ""))
            for (kind, name), found in self._objects.items()
            if kind == "DataSource"
        }

    def referred(
        self, kind: str, item: dict[str, Any], key: str, owner: OpenSloObject, path: Path
    ) -> OpenSloObject | None:
        """Return what an item names by reference, or holds; None once the problem is noted.

        Args:
            key: of the reference, for example `conditionRef`.
            path: of the item inside its owner.
        """
        if key not in item:
            return self._object(kind, item, owner.document, (*owner.path, *path))
        name = str(item[key])
        found = self._objects.get((kind, name))
        if found is None:
            known = [other for other_kind, other in self._objects if other_kind == kind]
            meant = close_name(name, known)
            hint = f"did you mean {meant}?" if meant else f"add the {kind}, or load its file too"
            self.findings.problem(
                owner.place(*path, key),
                f"no {kind} is called {name}; {hint}",
                subject=owner.subject,
            )
        return found

    def _object(
        self, kind: str, value: Any, document: Document, path: Path
    ) -> OpenSloObject | None:
        envelope = checked(
            Envelope,
            value,
            document=document,
            path=path,
            findings=self.findings,
            subject=kind,
        )
        return None if envelope is None else OpenSloObject(kind, envelope, document, path)
