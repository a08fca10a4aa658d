"""What the fork server of the workers imports and compiles once, so that a worker starts quickly."""

from __future__ import annotations

import tests.faults.worker_main
from tests import warm_kernels

__all__ = ["tests"]

warm_kernels.main()
