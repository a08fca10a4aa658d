"""What checks of several pages share: spans, and numbers on the screen beside the oracle's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser.data_set import DAY_US, HOUR_US
from tests.browser.reading import read

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.browser.oracle import Number, Totals
    from tests.browser.screen import Screen
    from tests.browser.serving import World

HOURS_24 = {"from_": "now-24h", "to": "now"}
ALPHA = 0.0051
"""Half a percent of a sketch, and what floats add."""


def day(world: World) -> tuple[int, int]:
    """Return the last 24 whole hours."""
    end = world.data_set.end_us // HOUR_US * HOUR_US
    return end - DAY_US, end


def is_written(text: str, exact: Number, relative: float = 1e-9) -> bool:
    """Tell whether a text on the screen is that number; a sketch's quantile is right to 0.5 %."""
    written = read(text)
    if written is None or exact is None:
        return written is None and exact is None
    return written.is_of(float(exact), relative)


def error_of(measure: str) -> float:
    """Return what a measure may be wrong by."""
    return ALPHA if "_p" in measure and measure.endswith("_ms") else 1e-9


def assert_tiles(screen: Screen, totals: Totals, measures: Iterable[str]) -> None:
    """Require that tiles show these measures of these events."""
    for measure in measures:
        tile = screen.page.locator(f'main .tile[data-measure="{measure}"] .tile-value').first
        exact = totals.measure(measure)
        text = tile.inner_text()
        assert is_written(text, exact, error_of(measure)), (measure, text, exact)
        full = tile.get_attribute("title") or ""
        assert is_written(full, exact, error_of(measure)), (measure, full, exact)
