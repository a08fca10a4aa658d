"""Bills in a real store: imported by the command, replaced, and held against what events cost."""

from __future__ import annotations

import io
import json
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from inferometer.cli.main import main
from inferometer.clickhouse.bills import ClickHouseBills, Removal
from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.query_store import ClickHouseQueryStore
from inferometer.clickhouse.settings import StoreSettings
from inferometer.core.bills import BilledKey
from tests.integration.query_seed import query_seed

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

LONG_AGO = date(2020, 2, 29)


class Books:
    """A folder with a store, what its events cost by day and provider, and the command."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.priced: dict[tuple[date, str], Decimal] = defaultdict(Decimal)
        self.unpriced: dict[tuple[date, str], int] = defaultdict(int)
        with query_seed(folder / "data") as seed:
            for row in seed.rows:
                key = (row["ts_end"].astimezone(UTC).date(), row["provider"])
                self.priced[key] += row["price_cost"]
                self.unpriced[key] += row["cost_status"] == "unpriced"

    def run(self, *argv: str, code: int = 0) -> tuple[str, str]:
        """Return what a command that ends so says."""
        out, err = io.StringIO(), io.StringIO()
        ended = main(["bill", *argv, "--data", str(self.folder / "data")], out, out, err, {})
        assert ended == code, err.getvalue()
        return out.getvalue(), err.getvalue()

    def bring(self, name: str, *lines: str) -> tuple[str, str]:
        """Import a file of these lines."""
        file = self.folder / name
        file.write_text("\n".join(["day,provider,model,amount_usd", *lines]), encoding="utf-8")
        return self.run("import", str(file))

    def days(self) -> dict[tuple[date, str], dict[str, Any]]:
        """Return what is listed since long ago."""
        listed = json.loads(self.run("list", "--from", "2020-01-01", "--json")[0])["days"]
        return {(date.fromisoformat(row["day"]), row["provider"]): row for row in listed}


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Books:
    return Books(tmp_path_factory.mktemp("bills"))


def test_priced_amounts_are_those_of_the_events(books: Books) -> None:
    found = books.days()
    assert {key: Decimal(row["priced_usd"]) for key, row in found.items()} == books.priced
    assert {key: row["unpriced_requests"] for key, row in found.items()} == books.unpriced
    assert all(row["billed_usd"] is None for row in found.values())


def test_a_bill_is_held_against_its_day_and_replaced_never_added_up(books: Books) -> None:
    (day, provider), priced = min(books.priced.items())
    lines = [f"{day},{provider},a,1.5", f"{day},{provider},,0.25", f"{day},{provider},a,1"]
    said, _ = books.bring("may.csv", *lines)
    assert said.endswith("; stored\n")
    for _ in range(2):
        said, _ = books.bring("may.csv", *lines)
        assert "in place of 2 amounts of before" in said
        row = books.days()[day, provider]
        assert Decimal(row["billed_usd"]) == Decimal("2.75")
        assert Decimal(row["difference_usd"]) == Decimal("2.75") - priced
        assert row["difference_ratio"] == pytest.approx(float(1 - priced / Decimal("2.75")))
    # A corrected file: what it lacks is gone, and a bill of another name adds to it.
    books.bring("may.csv", f"{day},{provider},,3")
    books.bring("credits.csv", f"{day},{provider},,-0.5")
    assert Decimal(books.days()[day, provider]["billed_usd"]) == Decimal("2.5")
    table, _ = books.run("list", "--from", day.isoformat())
    [line] = [line.split() for line in table.splitlines() if f"{day}  {provider} " in line]
    assert line[:4] == [str(day), provider, f"{priced:.6f}", "2.500000"]


def test_a_day_that_nothing_is_kept_of_has_no_price_and_no_difference(books: Books) -> None:
    _, complaint = books.bring("old.csv", f"{LONG_AGO},OpenAI,,7")
    row = books.days()[LONG_AGO, "OpenAI"]
    assert (row["billed_usd"], row["priced_usd"], row["difference_usd"]) == (
        "7.000000000000", None, None,
    )  # fmt: skip
    assert "no request of provider 'OpenAI'" in complaint


def test_the_last_import_counts_whatever_the_clocks_say(books: Books) -> None:
    now = datetime.now(UTC)
    key = BilledKey(LONG_AGO, "skewed", "")
    with StoreConnection(StoreSettings(data_dir=books.folder / "data")) as connection:
        bills, store = ClickHouseBills(connection), ClickHouseQueryStore(connection)
        assert bills.replace("skewed", {key: Decimal(1)}, now) == 0
        assert bills.replace("skewed", {key: Decimal(2)}, now - timedelta(hours=1)) == 1
        [row] = [
            row for row in store.reconciliation(LONG_AGO, LONG_AGO) if row["provider"] == "skewed"
        ]
    assert row["billed_usd"] == 2


def test_a_removed_bill_is_gone_with_all_that_it_took_the_place_of(books: Books) -> None:
    before = books.days()
    for amount in ("1", "2"):
        books.bring("it's wrong.csv", f"{LONG_AGO},mistaken,,{amount}", f"{LONG_AGO},lost,,-1")
    said, _ = books.run("remove", "it's wrong.csv", "--dry-run")
    assert said == (
        "it's wrong.csv: 2 amounts of lost, mistaken, 2020-02-29 to 2020-02-29, 1.000000 USD; "
        "nothing was removed\n"
    )
    assert (LONG_AGO, "mistaken") in books.days()
    said = json.loads(books.run("remove", "it's wrong.csv", "--json")[0])
    assert (said["is_removed"], said["total_usd"]) == (True, "1.000000000000")
    assert books.days() == before
    # And comes again as if it had never been there.
    said, _ = books.bring("it's wrong.csv", f"{LONG_AGO},mistaken,,3")
    assert said.endswith("; stored\n")
    books.run("remove", "it's wrong.csv")
    assert books.days() == before


def test_a_bill_that_is_not_there_is_named_beside_those_that_are(books: Books) -> None:
    books.bring("june.csv", f"{LONG_AGO},OpenAI,,1")
    _, complaint = books.run("remove", "juni.csv", code=1)
    assert "no bill is stored as 'juni.csv'; there are" in complaint
    assert "'june.csv'" in complaint
    books.run("remove", "june.csv")


def test_a_removal_that_is_broken_off_leaves_the_bill_as_it_was(books: Books) -> None:
    key = BilledKey(LONG_AGO, "halfway", "")
    now = datetime.now(UTC)
    with StoreConnection(StoreSettings(data_dir=books.folder / "data")) as connection:
        bills, store = ClickHouseBills(connection), ClickHouseQueryStore(connection)

        def billed() -> list[Decimal]:
            rows = store.reconciliation(LONG_AGO, LONG_AGO)
            return [row["billed_usd"] for row in rows if row["provider"] == "halfway"]

        for amount in (1, 2):
            bills.replace("halfway", {key: Decimal(amount)}, now)
        [found] = [bill for bill in bills.stored() if bill.source == "halfway"]
        connection.client().command(*Removal(found, spares_last=True).sql())
        assert billed() == [2]
        # What is imported between finding a bill and removing it stays.
        bills.replace("halfway", {key: Decimal(3)}, now)
        bills.remove(found)
        assert billed() == [3]
        [found] = [bill for bill in bills.stored() if bill.source == "halfway"]
        bills.remove(found)
        assert billed() == []


def test_merges_change_nothing(books: Books) -> None:
    before = books.days()
    with StoreConnection(StoreSettings(data_dir=books.folder / "data")) as connection:
        connection.client().command("OPTIMIZE TABLE bills_rows FINAL")
    assert books.days() == before
