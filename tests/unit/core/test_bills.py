from __future__ import annotations

import csv
import io
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.bills import Bill, BilledKey, read_bill

TODAY = date(2026, 6, 1)
NAMES = "day,provider,model,amount_usd"


def bill(*lines: str, provider: str = "") -> Bill:
    return read_bill("\n".join(lines), today=TODAY, provider=provider)


def test_lines_of_one_day_provider_and_model_are_one_exact_amount() -> None:
    found = bill(
        NAMES,
        "2026-05-31,openai,gpt-4o,0.1",
        "2026-05-31,openai,gpt-4o,0.2",
        "2026-05-31,openai,,-0.000000000001",
        "",
        "2026-06-01,azure,gpt-4o,1.2E+3",
    )
    day = date(2026, 5, 31)
    assert found.problems == []
    assert found.lines == 4
    assert found.amounts_usd == {
        BilledKey(day, "openai", "gpt-4o"): Decimal("0.3"),
        BilledKey(day, "openai", ""): Decimal("-1E-12"),
        BilledKey(TODAY, "azure", "gpt-4o"): Decimal(1200),
    }
    assert found.total_usd == Decimal("1200.299999999999")


def test_the_named_provider_is_that_of_lines_which_name_none() -> None:
    assert list(bill("day,amount_usd", "2026-05-31,1", provider="vllm").amounts_usd) == [
        BilledKey(date(2026, 5, 31), "vllm", "")
    ]
    found = bill(
        "provider,amount_usd,day,currency",
        ",1,2026-05-31,USD",
        "x,1,2026-05-31,USD",
        provider="vllm",
    )
    assert {key.provider for key in found.amounts_usd} == {"vllm", "x"}


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([], "line 1: the column day is missing"),
        (["day,amount_usd", "2026-05-31,1"], "line 1: the column provider is missing"),
        ([NAMES + ",cost", "2026-05-31,p,,1,1"], "line 1: unknown column 'cost'"),
        (["day,day,provider,amount_usd"], "line 1: column day is there twice"),
        ([NAMES], "no line below its names"),
        ([NAMES, "2026-05-31,p,1"], "line 2: 3 values for 4 columns"),
        ([NAMES, "2026-05-31,,m,1"], "line 2: no provider"),
        ([NAMES, f"2026-05-31,{'p' * 129},m,1"], "line 2: provider has more than 128"),
        ([NAMES, "2026-31-05,p,m,1"], "line 2: day '2026-31-05' is no day"),
        ([NAMES, "20260531,p,m,1"], "line 2: day '20260531' is no day"),
        ([NAMES, "1969-12-31,p,m,1"], "line 2: day '1969-12-31' is no day"),
        ([NAMES, "2026-06-02,p,m,1"], "line 2: day 2026-06-02 has not come yet"),
        ([NAMES, "2026-05-31,p,m,"], "line 2: amount_usd '' is no amount"),
        ([NAMES, "2026-05-31,p,m,$1"], "line 2: amount_usd '$1' is no amount"),
        ([NAMES, '2026-05-31,p,m,"1,000"'], "line 2: amount_usd '1,000' is no amount"),
        ([NAMES, "2026-05-31,p,m,NaN"], "line 2: amount_usd 'NaN' is no amount"),
        ([NAMES, "2026-05-31,p,m,1e20"], "line 2: amount_usd 1e20 is too large"),
        ([NAMES, "2026-05-31,p,m,1e-13"], "line 2: amount_usd 1e-13 has more than 12 decimals"),
        ([f"{NAMES},currency", "2026-05-31,p,m,1,EUR"], "line 2: currency 'EUR'; only USD"),
        ([NAMES, '2026-05-31,"p,m,1'], "no CSV"),
        ([f"{NAMES}\r2026-05-31,p,m,1"], "no CSV"),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_nothing_is_kept(
    lines: list[str], problem: str
) -> None:
    found = bill(*lines)
    assert any(problem in each for each in found.problems), found.problems
    assert found.amounts_usd == {}


def test_lines_may_end_as_spreadsheets_end_them() -> None:
    found = bill(f"{NAMES}\r", '2026-05-31,p,"two\u2028\r', 'lines",1\r', "")
    assert [key.model for key in found.amounts_usd] == ["two\u2028\r\nlines"]


def test_all_problems_of_a_file_are_said_at_once() -> None:
    found = bill("day,amount_usd,currency", "x,1.2.3,EUR", "2026-05-31,1,USD", "2026-05-31")
    assert [each.partition(":")[0] for each in found.problems] == [
        "line 1", "line 2", "line 2", "line 2", "line 4",
    ]  # fmt: skip


@given(st.text())
def test_any_text_is_a_bill_or_problems(text: str) -> None:
    found = read_bill(text, today=TODAY)
    assert bool(found.problems) is not bool(found.amounts_usd)


@given(
    st.lists(
        st.tuples(
            st.dates(date(2000, 1, 1), TODAY),
            st.sampled_from(["a", 'b"', "c,d"]),
            st.decimals(-(10**9), 10**9, places=12),
        ),
        min_size=1,
    )
)
def test_what_was_written_is_read_and_sums_to_the_last_digit(
    lines: list[tuple[date, str, Decimal]],
) -> None:
    written = io.StringIO()
    csv.writer(written).writerows([("day", "provider", "amount_usd"), *lines])
    found = read_bill(written.getvalue(), today=TODAY)
    assert found.problems == []
    assert found.total_usd == sum(amount for *_, amount in lines)
    assert {(key.day, key.provider) for key in found.amounts_usd} == {
        (day, provider) for day, provider, _ in lines
    }
