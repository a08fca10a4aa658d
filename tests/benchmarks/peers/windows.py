"""The work of contestants that aggregate by hand in Python: a dictionary of window sums."""

from __future__ import annotations

from typing import Any

WINDOW_US = 10_000_000


class Windows:
    """Count and four sums for each (window of 10 s, model, status code)."""

    def __init__(self) -> None:
        self._groups: dict[tuple[int, str, int], list[float]] = {}

    def add(self, event: dict[str, Any]) -> None:
        """Add one event."""
        key = (event["ts_end"] // WINDOW_US, event["model"], event["status_code"])
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = [0, 0, 0, 0.0, 0.0]
        group[0] += 1
        group[1] += event["input_tokens"]
        group[2] += event["output_tokens"]
        group[3] += event["ttft_ms"]
        group[4] += event["e2e_ms"]

    @property
    def counted(self) -> int:
        """The sum of all counts."""
        return int(sum(group[0] for group in self._groups.values()))
