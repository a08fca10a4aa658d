// @ts-check
/**
 * The columns of a log row as a person reads them: in sections, with labels, units and definitions.
 * A column that is not named here still shows, under "Other", so a new field of the event contract
 * never hides.
 */

/** @typedef {"text"|"id"|"tokens"|"count"|"ms"|"s"|"bytes"|"usd"|"instant"|"bool"|"map"} FieldUnit */
/** @typedef {{column: string, label: string, unit: FieldUnit, definition: string}} LogField */
/** @typedef {{title: string, fields: LogField[]}} LogSection */

/**
 * @param {string} column
 * @param {string} label
 * @param {FieldUnit} unit
 * @param {string} definition
 * @returns {LogField}
 */
function field(column, label, unit, definition = "") {
  return { column, label, unit, definition };
}

/** @type {LogSection[]} */
export const LOG_SECTIONS = [
  {
    title: "Outcome",
    fields: [
      field(
        "status_code",
        "Status",
        "text",
        "HTTP status; 499 when the client went away before the answer was whole.",
      ),
      field(
        "status_class",
        "Class",
        "text",
        "One of six disjoint classes: 2xx, 4xx, 429, 499, 5xx, other.",
      ),
      field("error_type", "Error type", "text", "Machine-readable kind of failure."),
      field("error_message", "Error message", "text"),
      field("finish_reason", "Finish reason", "text", "Why the model stopped."),
      field(
        "billed_success",
        "Billed as success",
        "bool",
        "Images and video bill on success only.",
      ),
      field("deadline_missed", "Deadline missed", "bool"),
    ],
  },
  {
    title: "Request",
    fields: [
      field("request_id", "Request ID", "id", "The logical request, equal in all its attempts."),
      field(
        "event_id",
        "Event ID",
        "id",
        "Unique id of this attempt's event; duplicates are told by it.",
      ),
      field("attempt_no", "Attempt", "count", "Counts the invocations of one request, from 1."),
      field("attempt_id", "Attempt ID", "id"),
      field("is_final", "Final attempt", "bool", "The attempt that the caller got."),
      field("is_retry", "Retry", "bool"),
      field("is_fallback", "Fallback", "bool", "Routed here after another target failed."),
      field("ts", "Received", "instant", "When the request was received."),
      field("ts_end", "Ended", "instant", "Event time: the end of the attempt."),
      field("operation", "Operation", "text"),
      field("stream", "Streamed", "bool"),
      field("session_id", "Session", "id"),
      field(
        "trace_id",
        "Trace ID",
        "id",
        "W3C trace id: look the request up in your tracing system.",
      ),
      field("span_id", "Span ID", "id"),
      field("resent", "Sent again", "bool", "The producer sent the event again after a pause."),
    ],
  },
  {
    title: "Model and routing",
    fields: [
      field("model", "Model", "text", "The model that was asked for."),
      field("model_version", "Model version", "text"),
      field(
        "response_model",
        "Response model",
        "text",
        "The model that the provider says answered.",
      ),
      field("virtual_model", "Virtual model", "text", "The alias that was routed to this model."),
      field("model_type", "Model type", "text"),
      field("provider", "Provider", "text"),
      field("hosting", "Hosting", "text"),
      field("deployment_type", "Deployment", "text"),
      field("traffic_class", "Traffic class", "text"),
      field("batch_job_id", "Batch job", "id"),
      field("priority", "Priority", "count"),
    ],
  },
  {
    title: "Caller",
    fields: [
      field("workspace_id", "Workspace", "text"),
      field("environment", "Environment", "text"),
      field("user_id", "User", "text"),
      field("team_ids", "Teams", "text", "The first is billed."),
      field("virtual_account_id", "Virtual account", "text"),
      field("api_key_hash", "API key (hash)", "id"),
      field("feature", "Feature", "text"),
      field("metadata", "Metadata", "map", "Keys that the caller sent in headers."),
    ],
  },
  {
    title: "Latency",
    fields: [
      field(
        "e2e_ms",
        "Latency (end to end)",
        "ms",
        "From receipt to the last byte, at the server.",
      ),
      field(
        "ttft_ms",
        "TTFT",
        "ms",
        "From receipt to the first token of any kind; queue time is inside.",
      ),
      field(
        "ttfa_ms",
        "Time to first answer token",
        "ms",
        "Differs from TTFT where reasoning comes first.",
      ),
      field("queue_ms", "Queue", "ms", "Time before the model began; part of TTFT."),
      field("prefill_ms", "Prefill", "ms"),
      field("decode_ms", "Decode", "ms"),
      field(
        "tpot_ms",
        "TPOT",
        "ms",
        "(end to end - TTFT) / (output tokens - 1); none below two output tokens.",
      ),
      field(
        "itl_count",
        "Gaps between chunks",
        "count",
        "How many gaps between successive output chunks.",
      ),
      field("itl_sum_ms", "Sum of gaps", "ms"),
      field("itl_max_ms", "Longest gap", "ms"),
      field("client_e2e_ms", "Latency seen by the client", "ms"),
      field("cold_start", "Cold start", "bool"),
      field("cold_start_ms", "Cold start time", "ms"),
    ],
  },
  {
    title: "Usage",
    fields: [
      field("total_tokens", "Total tokens", "tokens", "Input and output."),
      field("input_tokens", "Input tokens", "tokens", "Inclusive total of all input buckets."),
      field("uncached_input_tokens", "Uncached input", "tokens"),
      field("cache_read_tokens", "Cache read", "tokens"),
      field("cache_write_5m_tokens", "Cache write (5 min)", "tokens"),
      field("cache_write_1h_tokens", "Cache write (1 h)", "tokens"),
      field("audio_input_tokens", "Audio input", "tokens"),
      field("image_input_tokens", "Image input", "tokens"),
      field("video_input_tokens", "Video input", "tokens"),
      field("output_tokens", "Output tokens", "tokens", "Inclusive total of all output buckets."),
      field("text_output_tokens", "Text output", "tokens"),
      field("reasoning_tokens", "Reasoning", "tokens"),
      field("audio_output_tokens", "Audio output", "tokens"),
      field("image_output_tokens", "Image output", "tokens"),
      field("prefix_cache_tokens", "Prefix cache hits", "tokens"),
      field("images", "Images", "count"),
      field("video_seconds", "Video", "s"),
      field("audio_in_seconds", "Audio in", "s"),
      field("audio_out_seconds", "Audio out", "s"),
      field("characters", "Characters", "count"),
      field(
        "usage_source",
        "Source of usage",
        "text",
        "Reported by the provider, estimated, partial or missing.",
      ),
      field("cache_hit", "Answered by a response cache", "bool"),
    ],
  },
  {
    title: "Cost",
    fields: [
      field("price_cost", "Cost", "usd", "Usage times the price book; see cost status."),
      field("cost_input", "Input", "usd"),
      field("cost_output", "Output", "usd"),
      field("cost_cache_read", "Cache read", "usd"),
      field("cost_cache_write", "Cache write", "usd"),
      field("cost_reasoning", "Reasoning", "usd"),
      field("cost_other", "Other", "usd"),
      field(
        "cost_status",
        "Cost status",
        "text",
        "Priced, partial, unpriced or zero-rated; a missing price is not zero.",
      ),
      field("cost_source", "Source of cost", "text"),
      field("price_version", "Price book", "text", "The price book that priced this row."),
    ],
  },
  {
    title: "Placement",
    fields: [
      field("region", "Region", "text"),
      field("node_id", "Node", "text"),
      field("pod_id", "Pod", "text"),
      field("gpu_type", "GPU type", "text"),
      field("gpu_count", "GPUs", "count"),
      field("gpu_ids", "GPU ids", "text"),
      field("tp_size", "Tensor parallel size", "count"),
      field("gpu_seconds", "GPU time", "s", "Share of busy time."),
      field("batch_size_at_start", "Batch size at start", "count"),
      field("preemptions", "Preemptions", "count"),
      field("model_store_region", "Model store region", "text"),
      field("model_load_bytes", "Model loaded", "bytes"),
      field("egress_bytes", "Egress", "bytes"),
      field("ingress_bytes", "Ingress", "bytes"),
      field("feature_store_reads", "Feature store reads", "count"),
      field("log_bytes", "Logs written", "bytes"),
    ],
  },
  {
    title: "Rate limits of the provider",
    fields: [
      field("ratelimit_limit_requests", "Limit, requests", "count"),
      field("ratelimit_remaining_requests", "Remaining, requests", "count"),
      field("ratelimit_limit_tokens", "Limit, tokens", "tokens"),
      field("ratelimit_remaining_tokens", "Remaining, tokens", "tokens"),
    ],
  },
  {
    title: "Where the event came from",
    fields: [
      field("source", "Producer", "text"),
      field("schema_version", "Schema version", "count"),
      field("kafka_topic", "Kafka topic", "text"),
      field("kafka_partition", "Partition", "count"),
      field("kafka_offset", "Offset", "count"),
      field("kafka_index", "Place in the record", "count"),
      field("stream_id", "Incarnation of the topic", "id"),
    ],
  },
];

/** Names that repeat another column or are no use to a person; the JSON view has them all. */
const HIDDEN = new Set(["cost_usd", "team_id", "itl_bins"]);

/** Zero says nothing there: these sections list what was used. */
const ZERO_IS_EMPTY = new Set(["Usage", "Cost", "Placement", "Request", "Latency"]);

/** Columns whose zero or false is an answer, not an absence. */
const ALWAYS = new Set([
  "total_tokens",
  "input_tokens",
  "output_tokens",
  "price_cost",
  "is_final",
  "stream",
]);

/**
 * Tell whether a value has nothing to say.
 * @param {LogSection} section
 * @param {string} column
 * @param {unknown} value
 * @returns {boolean}
 */
export function isEmptyValue(section, column, value) {
  if (value === null || value === undefined || value === "") return true;
  if (Array.isArray(value)) return value.length === 0;
  if (typeof value === "object") return Object.keys(value).length === 0;
  if (ALWAYS.has(column)) return false;
  if (typeof value === "boolean") return !value && ZERO_IS_EMPTY.has(section.title);
  return ZERO_IS_EMPTY.has(section.title) && Number(value) === 0;
}

/**
 * Arrange a row in sections, without what is empty; returns how many columns were left out.
 * @param {Record<string, unknown>} row
 * @param {boolean} withEmpty
 * @returns {{sections: {title: string, entries: {field: LogField, value: unknown}[]}[], empty: number}}
 */
export function arrange(row, withEmpty) {
  let empty = 0;
  const seen = new Set(HIDDEN);
  const sections = [];
  for (const section of [...LOG_SECTIONS, othersOf(row)]) {
    const entries = [];
    for (const entry of section.fields) {
      if (!(entry.column in row) || seen.has(entry.column)) continue;
      seen.add(entry.column);
      const value = row[entry.column];
      const isEmpty = isEmptyValue(section, entry.column, value);
      if (isEmpty) empty += 1;
      if (!isEmpty || withEmpty) entries.push({ field: entry, value });
    }
    if (entries.length > 0) sections.push({ title: section.title, entries });
  }
  return { sections, empty };
}

/**
 * @param {Record<string, unknown>} row
 * @returns {LogSection}
 */
function othersOf(row) {
  const known = new Set(LOG_SECTIONS.flatMap((s) => s.fields.map((f) => f.column)));
  const fields = Object.keys(row)
    .filter((column) => !known.has(column))
    .map((column) => field(column, column, unitOf(row[column])));
  return { title: "Other", fields };
}

/**
 * @param {unknown} value
 * @returns {FieldUnit}
 */
function unitOf(value) {
  if (typeof value === "boolean") return "bool";
  if (value !== null && typeof value === "object" && !Array.isArray(value)) return "map";
  return "text";
}
