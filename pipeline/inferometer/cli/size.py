"""`inferometer size`: what a rate needs, from measured unit costs, and what breaks first."""

from __future__ import annotations

import argparse
import json
import math
import tomllib
from dataclasses import asdict
from importlib import resources
from typing import TYPE_CHECKING, Any

from inferometer.cli.command import OK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inferometer.cli.command import Context
    from inferometer.config import Settings
    from inferometer.core.sizing import Demand, Sizing
    from inferometer.core.sizing_limits import Limit
    from inferometer.core.unit_costs import Figure

SUMMARY = "say what a rate of requests needs: cores, brokers, store nodes, disk, network"
EXAMPLE = """
inferometer size --rate 100000 --retention 14
inferometer size --rate 2500 --retention 30 --events lean --usage-groups 2000 --json
inferometer size --markdown > sizing.md
"""

DATA = "unit_costs.toml"
TABLE_RATES = (10_000.0, 100_000.0, 1_000_000.0, 10_000_000.0)
DEFAULT_RATE = 10_000.0
MAX_RATE = 1e8
Rows = list[tuple[str, str]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags and arguments."""
    parser.add_argument(
        "--rate",
        type=_rate,
        default=DEFAULT_RATE,
        metavar="N",
        help="events a second in the busiest minutes; default 10000",
    )
    parser.add_argument(
        "--retention",
        type=_positive,
        metavar="DAYS",
        help="days that the log is kept; default: setting store.requests_retention_days",
    )
    parser.add_argument(
        "--events",
        choices=("full", "lean", "arrow"),
        default="full",
        help="full: 870 bytes of JSON with 33 fields; lean: 240 bytes with 11; arrow: the full ones "
        "in Arrow records; default full",
    )
    parser.add_argument(
        "--service-groups", type=_count, default=1_000, metavar="N",
        help="groups of the service cube active at the same time; default 1000",
    )  # fmt: skip
    parser.add_argument(
        "--usage-groups", type=_count, default=10_000, metavar="N",
        help="groups of the usage cube active at the same time; default 10000",
    )  # fmt: skip
    parser.add_argument(
        "--kafka-hours", type=_positive, default=24.0, metavar="H",
        help="hours that Kafka keeps; default 24",
    )  # fmt: skip
    parser.add_argument(
        "--replication-factor", type=_count, default=3, metavar="N",
        help="copies in Kafka; default 3",
    )  # fmt: skip
    parser.add_argument(
        "--store-replicas", type=_count, default=2, metavar="N",
        help="copies in ClickHouse; default 2",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one object, for machines")
    parser.add_argument(
        "--markdown",
        action="store_true",
        help="a document: four rates side by side, limits, formulae and every unit cost",
    )


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Compute and print."""
    from inferometer.core.sizing import size
    from inferometer.core.sizing_limits import limits
    from inferometer.core.unit_costs import costs_of

    figures = unit_costs()
    costs = costs_of(figures, arguments.events)
    demand = _demand(arguments, context.settings({}), arguments.rate)
    if arguments.markdown:
        context.stdout.write(_document(arguments, context.settings({}), figures))
        return OK
    sizing, found = size(demand, costs), limits(demand, costs)
    if arguments.json:
        print(json.dumps(_as_json(sizing, found, figures), indent=2), file=context.stdout)
        return OK
    _print_rows(_rows(sizing), context)
    print("\nwhat breaks first", file=context.stdout)
    for limit in found:
        used = f"{limit.use:8.1%} used   breaks at {_breaks(limit):>10}"
        print(f"  {limit.name:<32} {used}   {limit.remedy}", file=context.stdout)
    print("\nformulae and unit costs: inferometer size --markdown", file=context.stdout)
    return OK


def unit_costs() -> tuple[Figure, ...]:
    """Return the figures that the package ships. Raises StateError where they are not whole."""
    from inferometer.core.unit_costs import read_figures

    text = resources.files("inferometer").joinpath(DATA).read_text(encoding="utf-8")
    return read_figures(tomllib.loads(text))


def _demand(arguments: argparse.Namespace, settings: Settings, rate: float) -> Demand:
    from inferometer.core.sizing import Demand

    store, worker = settings.store, settings.worker
    return Demand(
        rate=rate,
        log_days=arguments.retention or store.requests_retention_days,
        rollup_10s_days=store.rollup_10s_retention_days,
        rollup_1m_days=store.rollup_1m_retention_days,
        rollup_1h_days=store.rollup_1h_retention_days,
        service_groups=arguments.service_groups,
        usage_groups=arguments.usage_groups,
        kafka_hours=arguments.kafka_hours,
        replication_factor=arguments.replication_factor,
        store_replicas=arguments.store_replicas,
        chunk_max_events=worker.chunk_max_events,
        chunk_max_bytes=worker.chunk_max_bytes,
        chunk_min_wait_s=min(worker.chunk_min_wait_s, worker.chunk_max_wait_s),
        dedupe_horizon_s=worker.dedupe_horizon_s,
        dedupe_max_events=worker.dedupe_max_events,
        longest_outage_s=worker.longest_outage_s,
    )


def _rows(sizing: Sizing) -> Rows:
    demand = sizing.demand
    return [
        ("rate", f"{demand.rate:,.0f} events/s"),
        ("cores in all", f"{sizing.cores:,}"),
        ("workers (a core each)", f"{sizing.workers:,}"),
        ("memory of a worker", f"{sizing.worker_memory_mib:,.0f} MiB"),
        ("partitions", f"{sizing.partitions:,}"),
        ("chunks", f"{sizing.chunks_per_s:,.1f}/s"),
        ("brokers", f"{sizing.brokers:,}"),
        ("broker CPU", f"{sizing.broker_cpu:,.1f} cores"),
        ("ClickHouse nodes", f"{sizing.store_nodes:,} ({sizing.shards:,} x {demand.store_replicas})"),
        ("ClickHouse CPU", f"{sizing.store_cpu:,.1f} cores"),
        (f"disk: log, {demand.log_days:g} days", _bytes(sizing.log_bytes)),
        ("disk: roll-ups", _bytes(sizing.rollup_bytes)),
        (f"disk: Kafka, {demand.kafka_hours:g} h", _bytes(sizing.kafka_bytes)),
        ("network: producers to Kafka", f"{_bytes(sizing.produced_bytes_per_s)}/s"),
        ("network: all brokers, each way", f"{_bytes(sizing.broker_bytes_per_s)}/s"),
        ("network: workers to ClickHouse", f"{_bytes(sizing.inserted_bytes_per_s)}/s"),
    ]  # fmt: skip


def _print_rows(rows: Rows, context: Context) -> None:
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:<{width}}  {value}", file=context.stdout)


def _as_json(sizing: Sizing, found: list[Limit], figures: Sequence[Figure]) -> dict[str, Any]:
    limits = [
        asdict(limit) | {"breaks_at": limit.breaks_at if math.isfinite(limit.breaks_at) else None}
        for limit in found
    ]
    return asdict(sizing) | {
        "limits": limits,
        "unit_costs": {
            figure.name: {
                "values": dict(figure.values), "unit": figure.unit, "what": figure.what,
                "source": figure.source, "date": figure.date,
            }
            for figure in figures
        },
    }  # fmt: skip


def _document(arguments: argparse.Namespace, settings: Settings, figures: Sequence[Figure]) -> str:
    """Return the report in Markdown: the same figures as one call a rate would print."""
    from inferometer.core.sizing import FORMULAE, carries, size
    from inferometer.core.sizing_limits import limits
    from inferometer.core.unit_costs import SHAPES, costs_of

    lines = [
        "# Sizing",
        "",
        "Written by `inferometer size --markdown`; a test holds it to the command.",
        "Arithmetic on the unit costs below, not a test at these rates: nothing here was run on more than one machine.",
    ]  # fmt: skip
    for shape in SHAPES:
        costs = costs_of(tuple(figures), shape)
        columns = [_rows(size(_demand(arguments, settings, rate), costs)) for rate in TABLE_RATES]
        lines += ["", f"## {shape.capitalize()} events", "", *_side_by_side(columns)]
        demand = _demand(arguments, settings, arguments.rate)
        found = limits(demand, costs)
        rows = [[limit.name, _breaks(limit), limit.remedy] for limit in found]
        alone = [[what, f"{rate:,.0f}"] for what, rate in carries(demand, costs)]
        lines += [
            "",
            *_markdown(["one machine of those assumed", "events/s that it carries"], alone),
        ]
        lines += [
            "",
            "What breaks first, with everything else sized to the rate (never: those machines lift it):",
            "",
        ]
        lines += _markdown(["limit", "breaks at", "what to do"], rows)
    lines += ["", "## Formulae", "", *_markdown(["what", "how"], [list(row) for row in FORMULAE])]
    lines += ["", "## Unit costs", "", *_markdown(*_figure_table(figures))]
    return "\n".join(lines) + "\n"


def _side_by_side(columns: Sequence[Rows]) -> list[str]:
    names = [name for name, _ in columns[0]]
    rows = [[name, *(column[at][1] for column in columns)] for at, name in enumerate(names)]
    return _markdown(["what", *(rows[0][1:])], rows[1:])


def _figure_table(figures: Sequence[Figure]) -> tuple[list[str], list[list[str]]]:
    from inferometer.core.unit_costs import SHAPES

    rows = [
        [figure.name, *(f"{figure.values[shape]:g}" for shape in SHAPES), figure.unit,
         figure.what, f"{figure.source} ({figure.date})"]
        for figure in figures
    ]  # fmt: skip
    return ["name", *SHAPES, "unit", "what", "source"], rows


def _markdown(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    cells = [headers, ["---"] * len(headers), *rows]
    return [f"| {' | '.join(row)} |" for row in cells]


def _breaks(limit: Limit) -> str:
    if not math.isfinite(limit.breaks_at):
        return "never"
    digits = math.floor(math.log10(limit.breaks_at)) - 1
    return f"{round(limit.breaks_at, -digits):,.0f}/s"


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB", "TB", "PB"):
        if count < 1000 or unit == "PB":
            return f"{count:,.3g} {unit}" if count < 1000 else f"{count:,.0f} {unit}"
        count /= 1000
    raise AssertionError


def _rate(text: str) -> float:
    rate = float(text)
    if not 0 < rate <= MAX_RATE:
        raise argparse.ArgumentTypeError(f"{text} is no rate; give 1 to {MAX_RATE:,.0f} a second")
    return rate


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value <= 36_500:
        raise argparse.ArgumentTypeError(f"{text} is out of range; give more than 0")
    return value


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"{text} is too few; give 1 or more")
    return count
