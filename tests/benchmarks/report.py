"""What a benchmark run found: as a table for people, JSON for machines, Markdown for the record."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from tests.benchmarks.measuring import Span
    from tests.benchmarks.steps import Breakdown
    from tests.benchmarks.store_cost import StoreCost


@dataclass(frozen=True, slots=True)
class Rate:
    """One measured thing, all its runs."""

    name: str
    what: str
    spans: list[Span]

    @property
    def rates(self) -> list[float]:
        """Events per CPU-second of each run."""
        return [span.events / span.cpu_s for span in self.spans]

    @property
    def median(self) -> float:
        """The median of the rates."""
        return statistics.median(self.rates)

    def cells(self) -> list[str]:
        """Return the row of the table."""
        spans = self.spans
        return [
            self.what,
            f"{self.median / 1e3:,.1f} k",
            f"{min(self.rates) / 1e3:,.1f} - {max(self.rates) / 1e3:,.1f} k",
            f"{1e6 / self.median:,.2f}",
            f"{100 * sum(s.system_s for s in spans) / sum(s.cpu_s for s in spans):.0f} %",
            f"{statistics.median(s.events / s.wall_s for s in spans) / 1e3:,.1f} k",
            f"{max(s.peak_rss_bytes for s in spans) / 1e6:,.0f} MB",
            f"{len(spans)} x {spans[0].events:,}",
        ]


RATE_HEADERS = (
    "what",
    "events per CPU-second",
    "least - most",
    "us an event",
    "of it system",
    "events a second",
    "peak memory",
    "runs x events",
)
STEP_HEADERS = ("step", "us an event")
INSERT_HEADERS = ("insert", "rows a chunk", "us an event")
STORE_HEADERS = (
    "table",
    "rows a chunk",
    "insert, us an event",
    "rewrites of a row",
    "one rewrite, us a row",
    "merges, us an event",
    "bytes a row",
)


@dataclass(slots=True)
class Findings:
    """All that one call of the benchmarks found."""

    machine: dict[str, str]
    settings: dict[str, str]
    rates: list[Rate] = field(default_factory=list)
    breakdowns: list[Breakdown] = field(default_factory=list)
    store_costs: list[StoreCost] = field(default_factory=list)

    def tables(self) -> list[tuple[str, tuple[str, ...], list[list[str]]]]:
        """Return (title, headers, rows) of each table."""
        found: list[tuple[str, tuple[str, ...], list[list[str]]]] = []
        if self.rates:
            found.append(("Throughput", RATE_HEADERS, [rate.cells() for rate in self.rates]))
        for part in self.breakdowns:
            per = f"{part.shape} events, median of {part.chunks} chunks of {part.events_a_chunk:,}"
            found.append((f"In memory: {per}", STEP_HEADERS, _step_rows(part)))
            found.append((f"Inserts: {per}, merges aside", INSERT_HEADERS, _insert_rows(part)))
        for cost in self.store_costs:
            per = f"{cost.shape} events, {cost.chunks} chunks of {cost.events_a_chunk:,}"
            found.append((f"Store, CPU: {per}", STORE_HEADERS, _store_rows(cost)))
        return found

    def rich_tables(self) -> list[Table]:
        """Return the tables for a terminal."""
        return [_rich(title, headers, rows) for title, headers, rows in self.tables()]

    def to_json(self) -> str:
        """Return everything, the single runs too."""
        document = {
            "machine": self.machine,
            "settings": self.settings,
            "rates": [
                {
                    "name": rate.name,
                    "what": rate.what,
                    "events_per_cpu_s": round(rate.median),
                    "runs": [asdict(span) | {"cpu_s": span.cpu_s} for span in rate.spans],
                }
                for rate in self.rates
            ],
            "breakdowns": [asdict(part) for part in self.breakdowns],
            "store_costs": [asdict(cost) for cost in self.store_costs],
        }
        return json.dumps(document, indent=1) + "\n"

    def to_markdown(self, name: str) -> str:
        """Return the tables and what they rest on."""
        title = f"# {name.capitalize()}"
        lines = [title, "", f"Written by `make bench`; the runs are in `{name}.json`.", ""]
        for title, headers, rows in self.tables():
            lines += [f"## {title}", "", *_markdown_rows(headers, rows), ""]
        lines += ["## Conditions", ""]
        lines += [f"- {name}: {value}" for name, value in (self.settings | self.machine).items()]
        return "\n".join(lines) + "\n"


def _step_rows(part: Breakdown) -> list[list[str]]:
    rows = [[name, f"{us:.3f}"] for name, us in part.steps_us.items()]
    rest = part.in_memory_us - sum(part.steps_us.values())
    total = f"{part.in_memory_us:.2f} ({1e3 / part.in_memory_us:,.0f} k per CPU-second)"
    return [*rows, ["between the steps", f"{rest:.3f}"], ["whole job, no store", total]]


def _insert_rows(part: Breakdown) -> list[list[str]]:
    rows = [
        [table, f"{part.rows_a_chunk[table]:,}", f"{us:.3f}"]
        for table, us in part.inserts_us.items()
    ]
    return [*rows, ["all", "", f"{sum(part.inserts_us.values()):.2f}"]]


def _store_rows(cost: StoreCost) -> list[list[str]]:
    rows = []
    for table, part in cost.tables.items():
        # An estimate: later rewrites meet fewer and heavier rows than the one that was measured.
        merges_us = part.rewrites * part.rewrite_us * part.rows_a_chunk / cost.events_a_chunk
        rows.append(
            [
                table,
                f"{part.rows_a_chunk:,.0f}",
                f"{part.insert_us:.3f}",
                f"{part.rewrites:.2f}",
                f"{part.rewrite_us:.2f}",
                f"{merges_us:.3f}",
                f"{part.bytes_a_row:.1f}",
            ]
        )
    inserts_us = sum(part.insert_us for part in cost.tables.values())
    return [*rows, ["all, measured", "", f"{inserts_us:.2f}", "", "", f"{cost.merges_us:.2f}", ""]]


def _rich(title: str, headers: tuple[str, ...], rows: list[list[str]]) -> Table:
    table = Table(title=title, title_justify="left")
    for place, header in enumerate(headers):
        table.add_column(header, justify="right" if place else "left")
    for row in rows:
        table.add_row(*row)
    return table


def _markdown_rows(headers: tuple[str, ...], rows: list[list[str]]) -> list[str]:
    marks = ["---", *("---:" for _ in headers[1:])]
    return [f"| {' | '.join(cells)} |" for cells in (headers, marks, *rows)]
