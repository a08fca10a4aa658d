"""`python -m tests.browser.seeded --port 8790`: the seeded service for somebody who looks at it."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import tempfile
from pathlib import Path

from tests.browser.serving import seeded_world


def main() -> None:
    """Serve until a signal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    arguments = parser.parse_args()
    # No mask: the processes that are started here would inherit it, and hear no signal.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with (
        tempfile.TemporaryDirectory(prefix="inferometer-seeded-") as folder,
        seeded_world(Path(folder), port=arguments.port) as world,
    ):
        for name in ("viewer", "operator", "everything", "crowd"):
            print(f"{name}: {world.url}/#token={getattr(world.tokens, name)}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main()
