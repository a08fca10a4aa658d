"""Names that several rooms share: topics, headers, content types, tables."""

from __future__ import annotations

REQUESTS_TOPIC = "inference.requests"
SIGNALS_TOPIC = "inference.signals"

REQUEST_EVENT_TYPE = "inference.request.v1"
SIGNAL_EVENT_TYPE = "inference.signal.v1"

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
