"""The errors that cross rooms; edges translate library errors into these."""

from __future__ import annotations


class PipelineError(Exception):
    """Any failure that this project reports; its message says what, and what to do next."""


class ConfigError(PipelineError):
    """Settings that cannot work; carries every problem found, not only the first."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class DecodeError(PipelineError):
    """Bytes that are not an event; `reason` is the machine-readable dead-letter reason."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class StoreError(PipelineError):
    """The store refused or could not be reached; `retryable` says whether to try again."""

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable


class QueryTooCostlyError(PipelineError):
    """A question that met a limit on time, rows or memory; `remedy` says how to ask for less."""

    def __init__(self, limit: str, remedy: str) -> None:
        super().__init__(f"{limit}; {remedy}")
        self.limit = limit
        self.remedy = remedy


class BrokerError(PipelineError):
    """The broker refused or could not be reached; `retryable` says whether to try again."""

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable


class StateError(PipelineError):
    """Stored state that this version cannot continue from without risking a wrong count."""


class LeaseError(PipelineError):
    """A partition may belong to another worker by now, so nothing is written for it."""
