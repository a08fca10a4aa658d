"""`inferometer audit`: proves that nothing is lost and nothing doubled, and says where not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from inferometer import config
from inferometer.cli.command import OK, PROBLEMS, UsageError
from inferometer.cli.instants import INSTANT_HELP, Instant
from inferometer.cli.store_flags import add_store_flags, chosen_store

if TYPE_CHECKING:
    import argparse
    from typing import TextIO

    from inferometer.cli.command import Context
    from inferometer.core.audit_report import AuditReport
    from inferometer.core.conservation import Difference, Skipped

SUMMARY = "prove that nothing is lost or doubled, and say where not"
EXAMPLE = """
inferometer audit --kafka localhost:9092 --store http://localhost:8123
inferometer audit --kafka localhost:9092 --store http://localhost:8123 --from 6h --json
inferometer audit --data ./data --fix
"""
QUIET_LOG_LEVEL = "warning"
SHOWN_DIFFERENCES = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument(
        "--kafka",
        metavar="HOST:PORT",
        help="the broker, to count its records; without one only the store is audited",
    )
    add_store_flags(parser)
    parser.add_argument("--group", metavar="G", help="consumer group of the workers")
    parser.add_argument(
        "--from", dest="since", metavar="T", type=Instant, help=f"event time: {INSTANT_HELP}"
    )
    parser.add_argument(
        "--to", dest="until", metavar="T", type=Instant, help="event time, not included; as --from"
    )
    parser.add_argument(
        "--fix",
        action="store_true",
        help="mend roll-ups from the log, also while workers run; noted in audit_repairs",
    )
    parser.add_argument("--json", action="store_true", help="one object, for machines")


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Audit; exit 1 where something is wrong, or stays wrong after `--fix`."""
    from inferometer.cli.progress import Progress
    from inferometer.runtime.audit import run_audit
    from inferometer.runtime.clock import now
    from inferometer.runtime.mapping import worker_settings

    found = context.resolve(
        {"kafka.bootstrap_servers": arguments.kafka, "kafka.group": arguments.group}
    )
    store = chosen_store(arguments, context)
    kafka = worker_settings(found.settings).kafka
    has_broker = found.origins["kafka.bootstrap_servers"] != config.DEFAULT
    at = now()
    from_s = None if arguments.since is None else arguments.since.seconds(at)
    to_s = None if arguments.until is None else arguments.until.seconds(at)
    if from_s is not None and to_s is not None and to_s <= from_s:
        raise UsageError("--to lies before --from, so there is nothing between them to prove")
    report = run_audit(
        store=store,
        kafka=kafka if has_broker else None,
        topic=kafka.topic,
        from_s=from_s,
        to_s=to_s,
        fix=arguments.fix,
        progress=Progress(context.stderr),
    )
    if arguments.json:
        print(orjson.dumps(report.as_dict()).decode(), file=context.stdout)
    else:
        print_report(report, context.stdout)
    return OK if report.is_ok else PROBLEMS


def print_report(report: AuditReport, out: TextIO) -> None:
    """Print a report for people: the accounts, what differs and where, and the verdict last."""
    totals = report.totals()
    print(
        f"records {totals['records']}  events {totals['events']}  stored {totals['stored']}  "
        f"dead_lettered {totals['dead']}  duplicates {totals['duplicates']}  "
        f"chunks {totals['chunks']}  lag {totals['lag']}",
        file=out,
    )
    for one in report.partitions:
        place = "no chunk" if one.first_offset is None else f"{one.first_offset}-{one.last_offset}"
        opened = f"  open {one.open_chunk[0]}-{one.open_chunk[1]}" if one.open_chunk else ""
        lag = "" if one.lag is None else f"  lag {one.lag}"
        print(
            f"  {one.topic}/{one.partition}  {place}  {one.chunks} chunks  {one.events} events  "
            f"{one.log_rows} log rows  {one.dead_letter_rows} dead letters  "
            f"{one.duplicates} duplicates{lag}{opened}",
            file=out,
        )
    for table in report.tables:
        verdict = f"{table.differing_groups} differ" if table.differing_groups else "equal the log"
        print(
            f"  {table.table}  {table.windows} windows  {table.groups} groups  {verdict}", file=out
        )
    print(f"  requests  {report.events_checked} event ids", file=out)
    for skipped in report.skipped:
        print(_not_done(skipped), file=out)
    for difference in report.differences[:SHOWN_DIFFERENCES]:
        print(_line(difference), file=out)
    more = report.differences_total - min(len(report.differences), SHOWN_DIFFERENCES)
    if more:
        print(f"and {more} more differences; --json lists up to 1000", file=out)
    if report.repairs:
        groups = sum(repair.groups for repair in report.repairs)
        print(
            f"repaired {report.repaired_total} differences: {groups} groups in "
            f"{len(report.repairs)} windows",
            file=out,
        )
    print("ok: everything is conserved" if report.is_ok else "NOT conserved", file=out)


def _not_done(skipped: Skipped) -> str:
    from inferometer.core.conservation import SkipReason

    if skipped.reason is SkipReason.LOG_IN_DOUBT:
        return (
            "nothing mended: the log lacks rows or has some twice, see below, and roll-ups would "
            "take that over; --from and --to narrow a fix to a span whose log is sound"
        )
    said = "  ".join(f"{name} {value}" for name, value in skipped.as_dict().items())
    return f"not checked: {said}"


def _line(difference: Difference) -> str:
    fields = difference.as_dict()
    kind, expected, found = (fields.pop(name) for name in ("kind", "expected", "found"))
    group = fields.pop("group", {})
    if group:
        # What is empty tells nobody where to look.
        fields["group"] = " ".join(f"{name}={value}" for name, value in group.items() if value)
    place = "  ".join(f"{name} {value}" for name, value in fields.items() if name != "stream_id")
    return f"{kind}: expected {expected}, found {found}: {place}"
