"""Rows of a log that tests of the query jobs ask about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

NOW = datetime(2026, 11, 21, 17, 6, 23, tzinfo=UTC)


def clock() -> datetime:
    return NOW


def row(ago_s: float, **columns: Any) -> dict[str, Any]:
    """Return an attempt that ended so long ago."""
    at = NOW - timedelta(seconds=ago_s)
    return {
        "ts_end": at,
        "event_id": f"e{ago_s}",
        "request_id": f"r{ago_s}",
        "workspace_id": "w",
        "model": "a",
        "e2e_ms": Decimal(100),
        "price_cost": Decimal("0.01"),
        **columns,
    }


def attempts(most: int = 40) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Draw attempts of the last hours, of few models, users and statuses."""
    one = st.fixed_dictionaries(
        {
            "ts_end": st.integers(0, 3 * 3600 * 1000).map(
                lambda ago_ms: NOW - timedelta(milliseconds=ago_ms + 1)
            ),
            "workspace_id": st.sampled_from(["w", "v"]),
            "model": st.sampled_from(["a", "b", "c", "d"]),
            "user_id": st.sampled_from(["", "u1", "u2", "u3"]),
            "team_ids": st.sampled_from([[], ["t1"], ["t2", "t1"]]),
            "region": st.sampled_from(["", "eu", "us"]),
            "metadata": st.sampled_from([{}, {"tenant": "acme"}, {"tenant": "initech"}]),
            "status_code": st.sampled_from([200, 200, 201, 400, 429, 499, 500, 302]),
            "is_final": st.booleans(),
            "stream": st.booleans(),
            "input_tokens": st.integers(0, 1000),
            "output_tokens": st.integers(0, 1000),
            "e2e_ms": st.none() | st.integers(0, 10**6).map(lambda us: Decimal(us) / 1000),
            "price_cost": st.integers(0, 10**9).map(lambda units: Decimal(units) / 10**9),
            "cost_input": st.integers(0, 10**9).map(lambda units: Decimal(units) / 10**9),
        }
    )
    return st.lists(one, max_size=most).map(
        lambda rows: [
            {**each, "event_id": f"e{number:03}", "request_id": f"r{number // 2}"}
            for number, each in enumerate(rows)
        ]
    )
