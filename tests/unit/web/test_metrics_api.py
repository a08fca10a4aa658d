from __future__ import annotations

from tests.unit.web.serving import Bench, serving


def test_counters_are_scraped_where_alertmanager_has_its_own() -> None:
    async def use(bench: Bench) -> None:
        async with bench.session.get(bench.url + "/metrics") as answer:
            assert answer.status == 200
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            assert await answer.text() == "inferometer_slo_bad_requests_total 1.0\n"

    serving(use)


def test_they_need_a_token_where_reading_does() -> None:
    async def use(bench: Bench) -> None:
        assert (await bench.ask("GET", "/metrics"))[0] == 401

    serving(use, reads_need_token=True)
