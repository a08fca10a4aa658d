"""`inferometer demo`: the main job on the embedded broker and store, live on the terminal."""

from __future__ import annotations

import argparse
import contextlib
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inferometer.cli.command import OK, PROBLEMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from inferometer.cli.command import Context
    from inferometer.config import Settings
    from inferometer.core.reports import StreamTotals
    from inferometer.runtime.demo import Demo
    from inferometer.runtime.embedded import EmbeddedPipeline

SUMMARY = "run a simulated GPU fleet through broker, worker and store, live, with the console"
QUIET_LOG_LEVEL = "warning"
EXAMPLE = """
inferometer demo
inferometer demo --for 60s --rate 500 --seed 7 --data ./data
inferometer demo --for 30s --no-serve
inferometer demo --for 10m --outage 60s..4m --receivers receivers.yaml
"""

DEFAULT_FOR_S = 60.0
DEFAULT_RATE = 300.0
REFRESH_S = 1.0
PLAIN_EVERY_S = 5.0
MAX_PORT = 65_536
FIRST_PAGE = "/overview?from=now-5m"
"""A day would be an empty chart with a dot at its end."""
_UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0}
LOOK_FURTHER = (
    "SELECT window_start, model, rps, success_ratio, ttft_p99_ms, cost_usd FROM model_1m",
    "SELECT team_id, sum(cost_usd) AS cost FROM usage_1h GROUP BY team_id ORDER BY cost DESC",
    "SELECT provider, status_code, error_type, sum(requests) FROM service_1m GROUP BY ALL",
    "SELECT * FROM freshness",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument(
        "--for",
        dest="duration_s",
        type=_duration,
        metavar="60s",
        help="how long: seconds, 5m or 1h; interrupt to end earlier; default: until interrupted on a "
        "terminal that serves the console, else 60s",
    )
    parser.add_argument(
        "--rate",
        type=_rate,
        default=DEFAULT_RATE,
        metavar="N",
        help="requests a second; default 300",
    )
    parser.add_argument(
        "--outage",
        type=_span,
        metavar="FROM..TO",
        help="every request fails between these times of the demo, for example 60s..4m",
    )
    parser.add_argument(
        "--slo", metavar="PATH", type=Path, help="objectives to evaluate; default: shipped ones"
    )
    parser.add_argument(
        "--receivers", metavar="FILE", type=Path, help="whom alerts tell; default: nobody"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="one seed, one fleet")
    parser.add_argument(
        "--data", metavar="DIR", type=Path, help="folder of the store; default: ./data/demo"
    )
    parser.add_argument(
        "--serve",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="serve query API and console at 127.0.0.1; default: yes",
    )
    parser.add_argument(
        "--port",
        type=_port,
        metavar="N",
        help="port of query API and console; default: 8700, or the next free one",
    )
    parser.add_argument("--json", action="store_true", help="the summary as one JSON object")


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Run until the time is over or an interrupt; return 0 only if nothing was lost."""
    from inferometer.runtime.demo import Demo
    from inferometer.runtime.embedded import DEMO, EmbeddedPipeline
    from inferometer.runtime.stopping import stopping_signals

    data_dir = arguments.data or Path("data") / "demo"
    settings = context.settings(
        {
            "alerts.slo_path": arguments.slo and str(arguments.slo),
            "alerts.receivers_file": arguments.receivers and str(arguments.receivers),
        }
    )
    print(f"starting broker, store and worker (data in {data_dir})", file=context.stderr)
    with (
        stopping_signals() as stopping,
        EmbeddedPipeline(
            data_dir=data_dir,
            settings=settings,
            rhythm=DEMO,
            with_alerts=True,
            environ=context.environ,
            tell=lambda text: print(text, file=context.stderr),
        ) as pipeline,
    ):
        demo = Demo(
            pipeline=pipeline,
            rate=arguments.rate,
            seed=arguments.seed,
            outage_s=arguments.outage,
        )
        demo.start()
        with _served(pipeline, settings, arguments, context) as link:
            deadline = time.monotonic() + _duration_s(arguments, context)
            _show(demo, context, lambda: stopping.is_set() or time.monotonic() >= deadline, link)
            print("the fleet has stopped; storing what is on its way", file=context.stderr)
            totals = demo.finish(lambda _accounted: None)
        objectives = pipeline.alert_status()
    complete = totals.stored + totals.dead_lettered + totals.duplicates == demo.produced
    _print_summary(demo.produced, totals, data_dir, arguments, context)
    if not arguments.json:
        _print_objectives(objectives, context)
    return OK if complete else PROBLEMS


@contextlib.contextmanager
def _served(
    pipeline: EmbeddedPipeline, settings: Settings, arguments: argparse.Namespace, context: Context
) -> Iterator[str]:
    """Serve the pipeline's store meanwhile, and yield the link to its console."""
    if not arguments.serve:
        yield ""
        return
    from inferometer.runtime.demo_console import served

    with served(pipeline, settings, port=arguments.port) as web:
        link = web.link(FIRST_PAGE)
        print(f"console and query API: {link}", file=context.stderr)
        yield link


def _duration_s(arguments: argparse.Namespace, context: Context) -> float:
    if arguments.duration_s is not None:
        return float(arguments.duration_s)
    # Who opens the console wants it to stay; a script wants an end.
    return math.inf if arguments.serve and context.stderr.isatty() else DEFAULT_FOR_S


def _print_objectives(objectives: list[dict[str, Any]], context: Context) -> None:
    from inferometer.runtime.alert_status import status_table

    if objectives:
        print(f"\n{status_table(objectives)}", file=context.stdout)


def _show(demo: Demo, context: Context, is_over: Callable[[], bool], link: str) -> None:
    from rich.console import Console
    from rich.live import Live

    from inferometer.cli.live_view import plain_line, render

    console = Console(file=context.stderr)
    if not console.is_terminal:
        _every(PLAIN_EVERY_S, is_over, lambda: print(plain_line(demo.view()), file=context.stderr))
        return
    with Live(console=console, auto_refresh=False) as live:

        def refresh() -> None:
            live.update(render(demo.view(), link), refresh=True)

        _every(REFRESH_S, is_over, refresh)


def _every(period_s: float, is_over: Callable[[], bool], act: Callable[[], None]) -> None:
    due = time.monotonic() + period_s
    while not is_over():
        time.sleep(0.1)
        if time.monotonic() >= due:
            act()
            due = time.monotonic() + period_s
    act()


def _print_summary(
    produced: int,
    totals: StreamTotals,
    data_dir: Path,
    arguments: argparse.Namespace,
    context: Context,
) -> None:
    import orjson

    fields: dict[str, Any] = {
        "produced": produced,
        "stored": totals.stored,
        "dead_lettered": totals.dead_lettered,
        "duplicates": totals.duplicates,
        "input_tokens": totals.input_tokens,
        "output_tokens": totals.output_tokens,
        "cost_usd": totals.cost_usd,
        "unpriced": totals.unpriced,
        "windows": totals.windows,
    }
    if arguments.json:
        fields["cost_usd"] = orjson.Fragment(f"{totals.cost_usd:f}")
        print(orjson.dumps(fields).decode(), file=context.stdout)
        return
    for name, value in fields.items():
        print(f"{name:>14}  {value:,}", file=context.stdout)
    print("\nlook further:", file=context.stdout)
    for query in LOOK_FURTHER:
        print(f'  inferometer sql "{query}" --data {data_dir}', file=context.stdout)
    print(f"  inferometer explain --data {data_dir}", file=context.stdout)
    print(f"  inferometer serve --data {data_dir}", file=context.stdout)


def _duration(text: str) -> float:
    unit = _UNITS_S.get(text[-1:], 0.0)
    number = text[:-1] if unit else text
    try:
        seconds = float(number) * (unit or 1.0)
    except ValueError:
        seconds = 0.0
    if seconds <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration such as 60s, 5m or 1h")
    return seconds


def _span(text: str) -> tuple[float, float]:
    begins, mark, ends = text.partition("..")
    if not mark:
        raise argparse.ArgumentTypeError(f"{text!r} is no span such as 60s..4m")
    found = (0.0 if begins in {"0", "0s"} else _duration(begins)), _duration(ends)
    if found[0] >= found[1]:
        raise argparse.ArgumentTypeError(f"{text!r} ends before it begins")
    return found


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if rate <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} must be above 0 requests a second")
    return rate


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) < MAX_PORT:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port, 0 to {MAX_PORT - 1}")
