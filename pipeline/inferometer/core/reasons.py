"""Why the door refused an event: the machine-readable reasons of dead letters."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Reason(enum.StrEnum):
    """The first rule, in this order, that an event breaks."""

    EMPTY_RECORD = "empty_record"
    """The record has no value."""
    UNKNOWN_CONTENT_TYPE = "unknown_content_type"
    """The content-type header names a format that this version does not read."""
    UNREADABLE_BATCH = "unreadable_batch"
    """The value is not one Arrow IPC stream of record batches."""
    TOO_LARGE = "too_large"
    """More events, or more bytes once unpacked, than one record may carry."""
    INVALID_JSON = "invalid_json"
    """The value is not one JSON document in UTF-8."""
    NOT_AN_OBJECT = "not_an_object"
    """The document is valid JSON, yet no object."""
    NOT_FINITE = "not_finite"
    """NaN or an infinity stands where JSON allows none."""
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    OUT_OF_RANGE = "out_of_range"
    """A number outside its bounds, a text too long, a list too large."""
    UNKNOWN_VALUE = "unknown_value"
    """A text that is none of the field's listed values."""
    INVALID_METADATA = "invalid_metadata"
    """More than 32 keys, or a key or value beyond 128 characters, or no text."""
    STATUS_CLASS_MISMATCH = "status_class_mismatch"
    """status_class is given and contradicts status_code."""
    TOKEN_SUM_MISMATCH = "token_sum_mismatch"  # noqa: S105 - tokens of text, no secret
    """The disjoint token buckets do not add up to the inclusive total."""
    TTFT_EXCEEDS_E2E = "ttft_exceeds_e2e"
    EVENT_TIME_TOO_OLD = "event_time_too_old"
    """ts_end lies before the retention of the log."""
    EVENT_TIME_IN_FUTURE = "event_time_in_future"
    """ts_end lies further ahead than the tolerance."""
    UNDECODABLE = "undecodable"
    """The model accepts the event, the column decoder does not: a defect of this version."""
    FAILED = "failed"
    """Computing the event's rows failed: a defect of this version."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A reason and what a person needs to mend the producer."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that the door refused, with its place in the topic and its original bytes."""

    offset: int
    index: int
    append_time_ms: int
    content_type: str
    refusal: Refusal
    value: bytes
