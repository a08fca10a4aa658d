"""The data of the events of `/live`."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from inferometer.web.api.documents import Document


class LiveDocument(Document):
    """Data of the events `snapshot` and `seconds`: lists by model, one number a second."""

    now: datetime
    watermark: datetime | None
    seconds: list[datetime]
    models: list[str] = Field(description="the busiest, and `__other__` for the rest")
    requests: dict[str, list[int]]
    failures: dict[str, list[int]]
    output_tokens: dict[str, list[int]]
    cost_usd: dict[str, list[float]]


class LiveProblemDocument(Document):
    """Data of the event `problem`."""

    title: str
    detail: str
    status: int
    retry_after_s: int
