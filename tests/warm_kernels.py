"""Compiles every kernel once, into the cache that the tests and their processes share."""

from __future__ import annotations

from inferometer.runtime.start_up import load_kernels

if __name__ == "__main__":
    load_kernels()
