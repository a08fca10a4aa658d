"""Inferometer: exact telemetry of LLM inference, from Kafka to ClickHouse."""

__version__ = "0.1.0"
