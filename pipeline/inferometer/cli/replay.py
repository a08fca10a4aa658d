"""`inferometer replay`: sends a recorded trace through the whole pipeline, and accounts for it."""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inferometer.cli.command import OK, PROBLEMS, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inferometer.cli.command import Context
    from inferometer.runtime.replay import ReplaySummary

SUMMARY = "send a recorded trace through broker, worker and store"
QUIET_LOG_LEVEL = "warning"
EXAMPLE = """
inferometer replay azure_llm_2023_code.csv --format azure-llm --model gpt-4o --data ./data
inferometer replay events.jsonl --format events --json
"""

FORMATS = ("azure-llm", "mooncake", "vllm-requests", "events")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument("file", metavar="FILE", type=Path, help="the trace")
    parser.add_argument("--format", required=True, choices=FORMATS, help="what the file holds")
    parser.add_argument(
        "--data", metavar="DIR", type=Path, help="folder of the store; default: a temporary one"
    )
    parser.add_argument(
        "--speed",
        type=_speed,
        default=None,
        metavar="max|Nx",
        help="event time against the clock, such as 10x; default max",
    )
    parser.add_argument("--model", default="", metavar="NAME", help="model of every event")
    parser.add_argument(
        "--start",
        type=_instant,
        metavar="INSTANT",
        help="when the first event ended, RFC 3339; default: so that the last one ends now",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Replay, print the summary, and return 0 only if every event is accounted for."""
    from inferometer.runtime.embedded import REPLAY, EmbeddedPipeline
    from inferometer.runtime.replay import ReplayRequest, replay

    if not arguments.file.is_file():
        raise UsageError(f"no file {arguments.file}; name a trace that exists")
    request = ReplayRequest(
        path=arguments.file,
        trace_format=arguments.format,
        replay_id=f"replay-{uuid.uuid4().hex[:12]}",
        model=arguments.model,
        speed=arguments.speed,
        start=arguments.start,
    )
    settings = context.settings({})
    with contextlib.ExitStack() as stack:
        data_dir = arguments.data or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="inferometer-"))
        )
        pipeline = stack.enter_context(
            EmbeddedPipeline(
                data_dir=data_dir,
                settings=settings,
                rhythm=REPLAY,
                tell=lambda text: print(text, file=context.stderr),
            )
        )
        progress = stack.enter_context(_progress(context))
        summary = replay(request, pipeline, progress)
    for problem in summary.refused:
        print(problem, file=context.stderr)
    print(
        _as_json(summary) if arguments.json else _as_text(summary, arguments), file=context.stdout
    )
    return OK if summary.is_complete else PROBLEMS


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text.removesuffix("x"))
    except ValueError:
        speed = 0.0
    if speed <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is neither max nor a factor such as 10x")
    return speed


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no instant such as 2026-01-31T12:00:00Z"
        ) from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


@contextlib.contextmanager
def _progress(context: Context) -> Iterator[Any]:
    """Yield a report function: a bar on a terminal, a line now and then elsewhere."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

    console = Console(file=context.stderr)
    if not console.is_terminal:
        yield _PlainProgress(context)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("stored of sent", total=None)
        yield lambda produced, accounted: bar.update(task, total=produced, completed=accounted)


class _PlainProgress:
    """Prints a line whenever the number of sent records has doubled or all are stored."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._next = 1000

    def __call__(self, produced: int, accounted: int) -> None:
        if produced >= self._next or (produced == accounted and produced >= self._next // 2):
            self._next = max(self._next, produced) * 2
            print(f"sent {produced}, stored {accounted}", file=self._context.stderr)


def _fields(summary: ReplaySummary) -> dict[str, Any]:
    totals = summary.totals
    return {
        "produced": summary.produced,
        "stored": totals.stored,
        "dead_lettered": totals.dead_lettered,
        "duplicates": totals.duplicates,
        "refused": len(summary.refused),
        "input_tokens": totals.input_tokens,
        "output_tokens": totals.output_tokens,
        "cost_usd": totals.cost_usd,
        "unpriced": totals.unpriced,
        "windows": totals.windows,
        "elapsed_s": round(summary.elapsed_s, 3),
        "percentiles": summary.percentiles,
    }


def _as_json(summary: ReplaySummary) -> str:
    import orjson

    fields = _fields(summary)
    # Every digit of the money, as a JSON number.
    fields["cost_usd"] = orjson.Fragment(f"{summary.totals.cost_usd:f}")
    return orjson.dumps(fields).decode()


def _as_text(summary: ReplaySummary, arguments: argparse.Namespace) -> str:
    fields = _fields(summary)
    percentiles = fields.pop("percentiles")
    lines = [f"{name:>14}  {_shown(value)}" for name, value in fields.items()]
    if percentiles:
        lines += ["", f"{'':>14}  {'p50':>12} {'p75':>12} {'p90':>12} {'p99':>12}"]
    for name, values in percentiles.items():
        cells = " ".join(f"{values[q]:12,.3f}" for q in ("p50", "p75", "p90", "p99"))
        lines.append(f"{name:>14}  {cells}")
    if arguments.data is not None:
        lines += ["", "look further:"]
        lines += [
            f'  inferometer sql "{query}" --data {arguments.data}'
            for query in (
                "SELECT window_start, model, rps, success_ratio, ttft_p99_ms FROM model_1m",
                "SELECT reason, count() FROM dead_letters GROUP BY reason",
            )
        ]
    return "\n".join(lines)


def _shown(value: object) -> str:
    return (
        f"{value:,}"
        if isinstance(value, int)
        else f"{value:f}"
        if hasattr(value, "as_tuple")
        else str(value)
    )
