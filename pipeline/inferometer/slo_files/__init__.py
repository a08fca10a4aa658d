"""SLO files: reads the native form and OpenSLO v1, and writes Prometheus rules."""

from __future__ import annotations

from inferometer.slo_files.findings import Finding, Place
from inferometer.slo_files.loading import SloFiles, load_slo_files, load_slo_texts
from inferometer.slo_files.windows import shipped_burn_windows

__all__ = [
    "Finding",
    "Place",
    "SloFiles",
    "load_slo_files",
    "load_slo_texts",
    "shipped_burn_windows",
]
