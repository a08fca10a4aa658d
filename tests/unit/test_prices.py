from __future__ import annotations

import json
import random
import sys
import types
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from inferometer.core.events import InferenceRequest
from inferometer.core.price_match import MatchKind
from inferometer.core.pricing import price_request
from inferometer.errors import ConfigError
from inferometer.prices import (
    import_price_file,
    load_book,
    read_price_file,
    shipped_prices,
    write_price_file,
)

SHARED = Path(__file__).parents[3] / "shared" / "data" / "genai_prices.json"
AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
AT_US = int(AT.timestamp()) * 1_000_000


def test_the_shipped_list_names_its_version_and_is_sound() -> None:
    book = load_book()
    assert book.version.startswith("genai-prices ")
    assert book.problems() == []
    tariff = book.resolve("anthropic", "claude-sonnet-4-5", AT_US)
    assert tariff is not None
    assert tariff.source == book.label


def test_the_shipped_prices_cost_what_their_own_package_computes() -> None:
    from genai_prices import Usage, calc_price

    book = load_book()
    rng = random.Random(5)
    named = [t for t in book.tariffs() if t.match.kind is MatchKind.EQUALS and t.is_in_force(AT_US)]
    for tariff in rng.sample(named, 150):
        read, write, fresh, out = (rng.randrange(150_000) for _ in range(4))
        event = InferenceRequest.model_validate(
            {
                "event_id": "e", "request_id": "r", "ts_end": AT_US, "status_code": 200,
                "provider": tariff.provider, "model": tariff.match.text,
                "input_tokens": read + write + fresh, "cache_read_tokens": read,
                "cache_write_5m_tokens": write, "output_tokens": out,
            }
        )  # fmt: skip
        usage = Usage(
            input_tokens=read + write + fresh,
            cache_read_tokens=read,
            cache_write_tokens=write,
            output_tokens=out,
        )
        theirs = calc_price(
            usage, tariff.match.text, provider_id=tariff.provider, genai_request_timestamp=AT
        )
        ours = price_request(book, event).price_cost_usd
        # They round nothing, we round each of at most five units to a pico-dollar.
        assert abs(ours - theirs.total_price) <= Decimal("2.5e-12"), tariff


@pytest.mark.skipif(not SHARED.exists(), reason=f"needs {SHARED.name}, which is not shipped")
def test_a_data_file_of_genai_prices_imports_whole() -> None:
    found = import_price_file(SHARED, file_format="genai-prices")
    assert found.models == 1285
    assert set(found.skipped) == {"cache_audio_read_mtok: no unit of the event contract"}
    assert found.book().problems() == []
    priceless = 1442 - found.models
    models = [m for p in json.loads(SHARED.read_text(encoding="utf-8")) for m in p["models"]]
    assert sum(not m["prices"] for m in models) == priceless


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
def test_an_imported_list_survives_as_a_price_file(tmp_path: Path, suffix: str) -> None:
    source = tmp_path / "map.json"
    source.write_text(
        '{"gpt": {"litellm_provider": "openai", "input_cost_per_token": 1.9e-08}}', encoding="utf-8"
    )
    book = import_price_file(source, file_format="litellm").book()
    assert book.entries[0].usd == Decimal("1.9e-08")
    output = tmp_path / f"prices{suffix}"
    write_price_file(book, output)
    assert read_price_file(output).version == book.version
    assert import_price_file(output, file_format="native").models == 1


def test_the_whole_shipped_list_survives_as_a_price_file(tmp_path: Path) -> None:
    book = shipped_prices().book()
    write_price_file(book, tmp_path / "all.json")
    assert read_price_file(tmp_path / "all.json").version == book.version


def test_yaml_amounts_and_dates_are_exact_without_quotes(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(
        "format: inferometer.prices.v1\nlabel: x\nprices:\n"
        "- {model: m, unit: images, usd_per_unit: 0.10000000000000000000001,"
        " effective_from: 2026-01-01, effective_to: 2026-02-01T00:00:00Z}\n",
        encoding="utf-8",
    )
    (price,) = read_price_file(path).entries
    assert price.usd == Decimal("0.10000000000000000000001")
    assert price.effective_from_us == 1_767_225_600_000_000
    assert price.effective_to_us == 1_769_904_000_000_000


def test_own_prices_lie_over_the_shipped_ones(repository: Path) -> None:
    own = repository / "schemas" / "examples" / "prices.yaml"
    book = load_book([own])
    tariff = book.resolve("acme.internal", "acme/llama-3.1-8b", AT_US)
    assert tariff is not None
    assert tariff.source == "acme-2026"
    assert book.resolve("openai", "gpt-4o", AT_US) is not None
    alone = load_book([own], with_shipped=False)
    assert alone.resolve("openai", "gpt-4o", AT_US) is None


def test_the_examples_read(repository: Path) -> None:
    for name in ("prices.yaml", "prices.json"):
        assert read_price_file(repository / "schemas" / "examples" / name).entries


BROKEN = [
    ("p.json", b"{", "is not JSON"),
    ("p.json", b'{"a": NaN}', "NaN"),
    ("p.yaml", b"a: [", "is not YAML"),
    ("p.yaml", b"a: .inf", "no amount"),
    ("p.json", b"\xff", "UTF-8"),
    ("p.json", b"{}", "format"),
]


@pytest.mark.parametrize(("name", "content", "expected"), BROKEN, ids=[str(b[1]) for b in BROKEN])
def test_a_file_that_does_not_read_says_why(
    tmp_path: Path, name: str, content: bytes, expected: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=expected):
        read_price_file(tmp_path / name)


def test_problems_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_book([tmp_path / "a.json", tmp_path / "b.json"])
    assert len(caught.value.problems) == 2


def test_a_list_of_another_shape_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ConfigError, match="litellm_provider"):
        import_price_file(tmp_path / "x.json", file_format="litellm")


def test_a_folder_that_is_missing_is_an_error_of_writing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        write_price_file(load_book([], with_shipped=False), tmp_path / "none" / "p.json")


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices.data", types.ModuleType("genai_prices.data"))
    with pytest.raises(ConfigError, match=r"inferometer\[server\]"):
        shipped_prices()
