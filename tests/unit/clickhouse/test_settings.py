from __future__ import annotations

from pathlib import Path

import pytest

from inferometer.clickhouse.settings import MAX_DAYS, Retention, StoreSettings
from inferometer.config import areas


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://ch:8123", ("http://ch:8123", "default", "", "inferometer")),
        ("https://ch/prod", ("https://ch", "default", "", "prod")),
        ("http://u:p%40ss@ch:8123/db", ("http://ch:8123", "u", "p@ss", "db")),
        ("http://[::1]:8123/db", ("http://[::1]:8123", "default", "", "db")),
    ],
)
def test_a_url_carries_host_user_password_and_database(
    url: str, expected: tuple[str, str, str, str]
) -> None:
    settings = StoreSettings.from_url(url)
    assert (settings.url, settings.user, settings.password, settings.database) == expected
    assert settings.problems() == []


def test_a_password_never_shows() -> None:
    settings = StoreSettings.from_url("http://u:sesame@ch:8123/db")
    assert "sesame" not in repr(settings)
    assert "sesame" not in settings.place


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (StoreSettings(), "give one of the two"),
        (StoreSettings(data_dir=Path("d"), url="http://x"), "give one of the two"),
        (StoreSettings(url="ftp://x"), "http://host:port"),
        (StoreSettings(url="http://"), "http://host:port"),
        (StoreSettings(url="http://x:99999"), "http://host:port"),
        (StoreSettings(data_dir=Path("d"), database="a-b"), "plain name"),
        (StoreSettings(data_dir=Path("d"), replicated=True), "needs a server"),
        (StoreSettings(data_dir=Path("d"), retention=Retention(requests_days=0)), "requests_days"),
        # A hundred years from now on lie beyond the last DateTime.
        (StoreSettings(data_dir=Path("d"), retention=Retention(alerts_days=36_500)), "alerts_days"),
    ],
)
def test_settings_that_cannot_work_say_why(settings: StoreSettings, problem: str) -> None:
    assert any(problem in line for line in settings.problems())


def test_configuration_and_store_have_one_limit_of_days() -> None:
    assert areas.MAX_DAYS == MAX_DAYS


def test_every_problem_is_reported_at_once() -> None:
    settings = StoreSettings(database="", retention=Retention(ledger_days=0, requests_days=-1))
    assert len(settings.problems()) == 4
