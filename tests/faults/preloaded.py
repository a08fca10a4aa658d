"""What the fork server of the workers imports and compiles once, so that a worker starts quickly."""

from __future__ import annotations

import tests.faults.worker_main
from inferometer.runtime.start_up import load_kernels

__all__ = ["tests"]

load_kernels()
