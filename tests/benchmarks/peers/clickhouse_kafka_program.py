"""Lets ClickHouse read a topic by its Kafka engine into a log and roll-ups, until all is there."""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.peers.speaking import say

_POLL_S = 0.1
# In process there is no thread for message queues unless one is asked for.
_POOL = "background_message_broker_schedule_pool_size=4"
_SQL = Path(__file__).with_name("clickhouse_kafka_sql")


def main(schema: str, servers: str, topic: str, group: str, number: str, folder: str) -> None:
    """Read so many events."""
    events = int(number)
    # Without annotations, so a call of it is none of a typed program.
    session: Any = importlib.import_module("chdb.session").Session(f"{folder}?{_POOL}")
    statements = (_SQL / f"{schema}.sql").read_text(encoding="utf-8")
    for name, value in (("{servers}", servers), ("{topic}", topic), ("{group}", group)):
        statements = statements.replace(name, value)
    for statement in filter(str.strip, statements.split(";")):
        session.query(statement)
    done = 0
    while done < events:
        time.sleep(_POLL_S)
        seen = _number(session, "SELECT count() FROM log")
        if seen > done:
            done = seen
            say("progress", done)
    # The views are filled before the block counts as stored.
    session.query("DETACH TABLE queue")
    counted = {
        _number(session, f"SELECT sum({column}) FROM {table}")
        for table, column in (("log", "1"), ("service", "requests"))
    }
    if len(counted) > 1:
        raise RuntimeError(f"log and roll-up differ: {counted}")
    say("note", f"ClickHouse {session.query('SELECT version()', 'TSVRaw')}".strip())
    say("counted", counted.pop())


def _number(session: Any, query: str) -> int:
    return int(str(session.query(query, "CSV")).strip())


if __name__ == "__main__":
    main(*sys.argv[1:])
