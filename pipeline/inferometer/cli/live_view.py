"""The demo on a terminal: a sparkline of requests and a table by model; plain lines elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inferometer.core.reports import ModelRow
    from inferometer.runtime.demo import DemoView

BARS = "▁▂▃▄▅▆▇█"
SPARK_WIDTH = 60
HEALTHY_RATIO = 0.99
WORRYING_RATIO = 0.95


def sparkline(values: Sequence[float]) -> str:
    """Return one block character a value, scaled to the largest."""
    shown = values[-SPARK_WIDTH:]
    top = max(shown, default=0.0)
    if top <= 0:
        return ""
    return "".join(
        BARS[min(len(BARS) - 1, int(value / top * (len(BARS) - 1) + 0.5))] for value in shown
    )


def render(view: DemoView, link: str = "") -> Group:
    """Return what the terminal shows; `link` leads to the console."""
    total_rps = sum(model.rps for model in view.models)
    title = Text.assemble(
        ("inferometer demo", "bold"),
        f"   {view.elapsed_s:5.0f} s   sent {view.produced:,}   stored {view.accounted:,}   ",
        (f"{total_rps:,.0f} requests/s", "bold cyan"),
    )
    spark = Text.assemble(("requests/s by 10 s  ", "dim"), (sparkline(view.rates[:-1]), "cyan"))
    # Not wrapped or cut: a token that lost its end opens nothing.
    console = Text(f"console  {link}", style="bold", no_wrap=True, overflow="ignore")
    table = models_table(view.models)
    return Group(title, spark, console, table) if link else Group(title, spark, table)


def models_table(models: Sequence[ModelRow]) -> Table:
    """Return the table of the last minute by model."""
    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, caption="last minute; latency of successes, ms"
    )
    table.add_column("model")
    for name in ("RPS", "success", "TTFT p50", "p90", "p99", "E2E p50", "p90", "p99"):
        table.add_column(name, justify="right")
    table.add_column("tokens", justify="right")
    table.add_column("cost $", justify="right")
    for model in models:
        table.add_row(
            model.model,
            f"{model.rps:.1f}",
            _ratio(model.success_ratio),
            *(_ms(value) for value in _latencies(model)),
            _count(model.tokens),
            _cost(model),
        )
    return table


def plain_line(view: DemoView) -> str:
    """Return one line for a log or a pipe."""
    requests = sum(model.requests for model in view.models)
    successes = sum(model.requests * model.success_ratio for model in view.models)
    cost = sum((model.cost_usd for model in view.models), start=0)
    share = successes / requests if requests else 0.0
    return (
        f"{view.elapsed_s:6.0f} s  sent {view.produced}  stored {view.accounted}  "
        f"last minute: {sum(model.rps for model in view.models):.1f} requests/s, "
        f"success {share:.2%}, tokens {sum(model.tokens for model in view.models)}, "
        f"cost ${cost:.4f}"
    )


def _latencies(model: ModelRow) -> tuple[float | None, ...]:
    return (
        model.ttft_p50_ms, model.ttft_p90_ms, model.ttft_p99_ms,
        model.e2e_p50_ms, model.e2e_p90_ms, model.e2e_p99_ms,
    )  # fmt: skip


def _ratio(ratio: float) -> Text:
    style = "green" if ratio >= HEALTHY_RATIO else "yellow" if ratio >= WORRYING_RATIO else "red"
    return Text(f"{ratio:.2%}", style=style)


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _count(value: int) -> str:
    for limit, unit in ((1_000_000, "M"), (1_000, "k")):
        if value >= limit:
            return f"{value / limit:.1f} {unit}"
    return str(value)


def _cost(model: ModelRow) -> str:
    # Unpriced counts attempts, of which a request has at least one.
    if model.unpriced_requests >= model.requests and not model.cost_usd:
        return "unpriced"
    return f"{model.cost_usd:.4f}"
