"""The configuration of every command: defaults < file < `INFEROMETER_*` environment < flags."""

from __future__ import annotations

from inferometer.config.area import Area
from inferometer.config.areas import (
    AREAS,
    AlertsConfig,
    CardinalityConfig,
    KafkaConfig,
    LogConfig,
    PriceConfig,
    Settings,
    StoreConfig,
    WorkerConfig,
)
from inferometer.config.contract import config_schema
from inferometer.config.loading import (
    CONFIG_VARIABLE,
    DEBUG_VARIABLE,
    DEFAULT,
    REQUIRE_SERVICES_VARIABLE,
    Resolution,
    load,
    resolve,
    unknown,
    variable_name,
)
from inferometer.config.values import TRUE_WORDS
from inferometer.config.web_areas import WebConfig
from inferometer.core.secret import Secret

__all__ = [
    "AREAS",
    "CONFIG_VARIABLE",
    "DEBUG_VARIABLE",
    "DEFAULT",
    "REQUIRE_SERVICES_VARIABLE",
    "TRUE_WORDS",
    "AlertsConfig",
    "Area",
    "CardinalityConfig",
    "KafkaConfig",
    "LogConfig",
    "PriceConfig",
    "Resolution",
    "Secret",
    "Settings",
    "StoreConfig",
    "WebConfig",
    "WorkerConfig",
    "config_schema",
    "load",
    "resolve",
    "unknown",
    "variable_name",
]
