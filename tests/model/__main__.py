"""Explores the protocol as far as one likes: `python -m tests.model --records 4 --losses 1`."""

from __future__ import annotations

import argparse
import sys
import time

from tests.model.explorer import explore
from tests.model.protocol import Protocol
from tests.model.rules import Bounds, Lease, Rules


def main(arguments: list[str]) -> int:
    """Explore once and print what was seen; 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--records", type=int, default=4)
    parser.add_argument("--losses", type=int, default=0, help="times the group loses its offsets")
    parser.add_argument("--remakes", type=int, default=0, help="times the topic is made anew")
    parser.add_argument("--records-anew", type=int, default=2)
    parser.add_argument("--in-flight", type=int, default=1, help="late inserts at one time")
    parser.add_argument("--lease", choices=[each.name for each in Lease], default="CHECKED")
    parser.add_argument("--limit", type=int, default=10_000_000, help="states")
    chosen = parser.parse_args(arguments)
    bounds = Bounds(
        records=chosen.records,
        losses=chosen.losses,
        remakes=chosen.remakes,
        records_anew=chosen.records_anew,
        in_flight=chosen.in_flight,
    )
    began_s = time.process_time()
    found = explore(Protocol(Rules(lease=Lease[chosen.lease]), bounds), limit=chosen.limit)
    took_s = time.process_time() - began_s
    print(
        f"{found.states} states, {found.transitions} transitions, {found.finished} ends, "
        f"{took_s:.1f} s: {found.fault or 'nothing lost, nothing doubled'}"
    )
    if found.fault is not None:
        print(found.trace)
    return int(found.fault is not None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
