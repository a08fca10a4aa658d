from __future__ import annotations

from importlib import resources

from inferometer.slo_files.windows import (
    SHIPPED_FILE,
    SHIPPED_SET,
    shipped_burn_windows,
    shipped_sets,
)


def test_the_shipped_windows_are_data_with_their_source_on_line_one() -> None:
    text = resources.files("inferometer.slo_files").joinpath(SHIPPED_FILE).read_text("utf-8")
    assert text.startswith("# Source: Google SRE Workbook, chapter 5")
    assert "https://sre.google/workbook/" in text.splitlines()[0]


def test_every_short_window_is_a_twelfth_of_its_long_one() -> None:
    assert all(window.long_s == 12 * window.short_s for window in shipped_burn_windows())


def test_shares_hold_for_any_period() -> None:
    month, week = (shipped_burn_windows(days * 86_400) for days in (30, 7))
    assert [window.budget_share for window in month] == [window.budget_share for window in week]
    assert week[0].burn(7 * 86_400) != month[0].burn(30 * 86_400)


def test_a_shipped_window_has_one_name_in_all_sets() -> None:
    names = [part.name for parts in shipped_sets().values() for part in parts]
    assert len(set(names)) == len(names)
    assert SHIPPED_SET in shipped_sets()
