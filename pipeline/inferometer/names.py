"""Names that several rooms share: topics, headers, content types, tables."""

from __future__ import annotations

REQUESTS_TOPIC = "inference.requests"
SIGNALS_TOPIC = "inference.signals"
SILENCES_TOPIC = "inference.silences"

REQUEST_EVENT_TYPE = "inference.request.v1"
SIGNAL_EVENT_TYPE = "inference.signal.v1"
GAUGE_EVENT_TYPE = "inference.gauge.v1"

CONTENT_TYPE_HEADER = "content-type"
JSON_CONTENT_TYPE = "application/json"
NDJSON_CONTENT_TYPE = "application/x-ndjson"
ARROW_CONTENT_TYPE = "application/vnd.apache.arrow.stream"

REQUESTS_TABLE = "requests"
DEAD_LETTERS_TABLE = "dead_letters"
LEDGER_TABLE = "chunk_ledger"
INTENTS_TABLE = "chunk_intents"
DIMENSION_VALUES_TABLE = "dimension_values"
WATERMARKS_TABLE = "watermarks"
REPAIRS_TABLE = "audit_repairs"
REDRIVES_TABLE = "redrives"
PRICE_BOOK_TABLE = "price_book"
BILLS_TABLE = "bills_rows"

VALID_REQUESTS_METRIC = "inferometer_slo_valid_requests_total"
"""Prometheus counter of what an objective counts, labelled slo, workspace and its groups."""
BAD_REQUESTS_METRIC = "inferometer_slo_bad_requests_total"
"""Prometheus counter of what an objective holds for bad, labelled alike."""
ALERTS_TABLE = "alerts_rows"
NOTIFICATIONS_TABLE = "notifications_rows"

SLO_COUNTS_TOPIC = "inference.slo_counts"
ALERT_NOTICES_TOPIC = "inference.alert_notices"
ALERT_TRANSITIONS_TOPIC = "inference.alert_transitions"
ALERT_STATE_TOPIC = "inference.alert_state"
NOTIFICATION_LEDGER_TOPIC = "inference.notification_ledger"
NOTIFICATION_ATTEMPTS_TOPIC = "inference.notification_attempts"
