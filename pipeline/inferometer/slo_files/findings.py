"""What is found in files: a place, what is wrong there, and what to write instead."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line of a file; the first is 1, and 0 stands for the file as a whole."""

    file: str
    line: int

    def __str__(self) -> str:
        """Return `file:line`, as editors and terminals link it."""
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One problem or caution."""

    place: Place
    subject: str
    """What it is about, for example `slo chat-success`; "" for the file."""
    text: str

    def __str__(self) -> str:
        """Return one line: place, subject, what is wrong and what to write."""
        subject = f"{self.subject}: " if self.subject else ""
        return f"{self.place}: {subject}{self.text}"


@dataclass(slots=True)
class Findings:
    """Collects what files hold that cannot stand, or deserves a word."""

    problems: list[Finding] = field(default_factory=list)
    cautions: list[Finding] = field(default_factory=list)

    def problem(self, place: Place, text: str, *, subject: str = "") -> None:
        """Note what cannot stand."""
        self.problems.append(Finding(place, subject, text))

    def caution(self, place: Place, text: str, *, subject: str = "") -> None:
        """Note what stands and deserves a word."""
        self.cautions.append(Finding(place, subject, text))
