"""Runs the command line as `python -m inferometer`."""

from __future__ import annotations

from inferometer.cli.main import entry_point

if __name__ == "__main__":
    entry_point()
