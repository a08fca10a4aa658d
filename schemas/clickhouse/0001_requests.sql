-- The log: one row an attempt, in the words of the event contract inference.request.v1.
--
-- A plain MergeTree, so that nothing is folded or hidden by a merge: a duplicate is kept out before
-- the insert, and by the deduplication token of the insert.
-- Partitioned by the day of event time, so that retention drops whole parts and rewrites none.
-- Ordered by ten minutes first, since every page of the log asks for a span of time; inside them by
-- workspace and model, which is what pages filter by next, and which puts like rows side by side
-- for compression. No id is in the key: a lookup by id goes through its bloom filter.
-- No instant is in the key either: rows of one key then stand in runs, chunk after chunk, and a
-- merge copies runs (4.5 us of CPU a row), where ts_end behind the same key made it pick single
-- rows from sixteen parts in turn (10.6 us). The runs are in the order of time, so that the range
-- of ts_end in each granule still tells a query of seconds what to skip.
-- A part below 256 MB keeps all of its columns in one file: a file for each column of each insert
-- cost as much as the insert itself. Merges go column by column even where the parts are small.
-- At least sixteen parts are merged at once, and only where they weigh forty times as much as the
-- heaviest of them (by default five; fewer the more parts there are, so a higher least number of
-- parts rewrites more): by a simulation of the selection, a row is rewritten once, not twice, while
-- forty million follow it, and 2.5 times, not four, in a day of chunks every 12 s.
-- Amounts of money are multiples of a price, so their greatest common divisor is taken out of each
-- block: 1.6 bytes an amount, not 3.1, at no more CPU. What costs CPU for nothing else is in
-- `clickhouse/table_settings.py`, because not every version knows it.
-- Every target of tokens remembers the last 30000 parts; a plain MergeTree remembers none unless
-- told.
CREATE TABLE IF NOT EXISTS requests
(
    -- Identity
    event_id String COMMENT 'unique id of the event, the key of deduplication',
    source LowCardinality(String),
    schema_version UInt8,
    ts Nullable(DateTime64(6, 'UTC')) COMMENT 'when the request was received' CODEC(T64, ZSTD(1)),
    ts_end DateTime64(6, 'UTC') COMMENT 'event time: the end of the attempt' CODEC(Delta, ZSTD(1)),
    workspace_id LowCardinality(String),
    environment LowCardinality(String),
    request_id String COMMENT 'the logical request, equal in all its attempts',
    attempt_id String,
    attempt_no UInt8,
    is_retry Bool,
    is_fallback Bool,
    is_final Bool COMMENT 'this is the attempt that the caller got',
    resent Bool COMMENT 'sent again after a pause',
    trace_id String,
    span_id String,
    session_id String,
    -- Dimensions
    operation LowCardinality(String),
    model_type LowCardinality(String),
    provider LowCardinality(String),
    model LowCardinality(String),
    model_version LowCardinality(String),
    response_model LowCardinality(String),
    virtual_model LowCardinality(String),
    hosting LowCardinality(String),
    deployment_type LowCardinality(String),
    traffic_class LowCardinality(String),
    batch_job_id LowCardinality(String),
    priority Nullable(Int32),
    user_id LowCardinality(String),
    team_ids Array(LowCardinality(String)) COMMENT 'the first is billed',
    virtual_account_id LowCardinality(String),
    api_key_hash LowCardinality(String),
    feature LowCardinality(String),
    metadata Map(LowCardinality(String), String),
    stream Bool,
    -- Outcome
    status_code UInt16 COMMENT 'HTTP status; 499 when the client went away',
    status_class LowCardinality(String),
    error_type LowCardinality(String),
    error_message String,
    finish_reason LowCardinality(String),
    billed_success Bool COMMENT 'images and video bill only when true',
    deadline_missed Bool,
    -- Usage: inclusive totals and disjoint buckets
    input_tokens UInt32 COMMENT 'inclusive total' CODEC(T64, ZSTD(1)),
    output_tokens UInt32 COMMENT 'inclusive total' CODEC(T64, ZSTD(1)),
    uncached_input_tokens UInt32 CODEC(T64, ZSTD(1)),
    cache_read_tokens UInt32 CODEC(T64, ZSTD(1)),
    cache_write_5m_tokens UInt32 CODEC(T64, ZSTD(1)),
    cache_write_1h_tokens UInt32 CODEC(T64, ZSTD(1)),
    audio_input_tokens UInt32 CODEC(T64, ZSTD(1)),
    image_input_tokens UInt32 CODEC(T64, ZSTD(1)),
    video_input_tokens UInt32 CODEC(T64, ZSTD(1)),
    text_output_tokens UInt32 CODEC(T64, ZSTD(1)),
    reasoning_tokens UInt32 CODEC(T64, ZSTD(1)),
    audio_output_tokens UInt32 CODEC(T64, ZSTD(1)),
    image_output_tokens UInt32 CODEC(T64, ZSTD(1)),
    usage_source LowCardinality(String),
    images UInt32 CODEC(T64, ZSTD(1)),
    video_seconds Decimal(18, 6) CODEC(T64, ZSTD(1)),
    audio_in_seconds Decimal(18, 6) CODEC(T64, ZSTD(1)),
    audio_out_seconds Decimal(18, 6) CODEC(T64, ZSTD(1)),
    characters UInt32 CODEC(T64, ZSTD(1)),
    -- Durations: exact integer microseconds, read as milliseconds
    queue_ms Nullable(Decimal(18, 3)) CODEC(T64, ZSTD(1)),
    ttft_ms Nullable(Decimal(18, 3))
        COMMENT 'receipt to first token, queue included' CODEC(T64, ZSTD(1)),
    ttfa_ms Nullable(Decimal(18, 3)) COMMENT 'receipt to first answer token' CODEC(T64, ZSTD(1)),
    prefill_ms Nullable(Decimal(18, 3)) CODEC(T64, ZSTD(1)),
    decode_ms Nullable(Decimal(18, 3)) CODEC(T64, ZSTD(1)),
    e2e_ms Nullable(Decimal(18, 3))
        COMMENT 'receipt to last byte, at the server' CODEC(T64, ZSTD(1)),
    client_e2e_ms Nullable(Decimal(18, 3)) CODEC(T64, ZSTD(1)),
    -- Gaps between output chunks of a streamed request: count, sum, maximum and log bins
    itl_count UInt32 CODEC(T64, ZSTD(1)),
    itl_sum_ms Nullable(Decimal(18, 3)) CODEC(T64, ZSTD(1)),
    itl_max_ms Nullable(Decimal(18, 3)) CODEC(T64, ZSTD(1)),
    itl_bins Map(Int16, UInt64) CODEC(ZSTD(3)),
    tpot_ms Nullable(Decimal(18, 3))
        COMMENT '(e2e - ttft) / (output_tokens - 1)' CODEC(T64, ZSTD(1)),
    -- Placement and efficiency
    cold_start Bool,
    cold_start_ms Nullable(Decimal(18, 3)) CODEC(T64, ZSTD(1)),
    model_load_bytes UInt64 CODEC(T64, ZSTD(1)),
    cache_hit Bool COMMENT 'answered by a response cache',
    prefix_cache_tokens UInt32 CODEC(T64, ZSTD(1)),
    batch_size_at_start UInt32 CODEC(T64, ZSTD(1)),
    preemptions UInt32 CODEC(T64, ZSTD(1)),
    node_id LowCardinality(String),
    pod_id LowCardinality(String),
    gpu_ids Array(LowCardinality(String)),
    gpu_type LowCardinality(String),
    gpu_count UInt32 CODEC(T64, ZSTD(1)),
    tp_size UInt32 CODEC(T64, ZSTD(1)),
    region LowCardinality(String),
    model_store_region LowCardinality(String),
    gpu_seconds Decimal(18, 6) CODEC(T64, ZSTD(1)),
    egress_bytes UInt64 CODEC(T64, ZSTD(1)),
    ingress_bytes UInt64 CODEC(T64, ZSTD(1)),
    feature_store_reads UInt32 CODEC(T64, ZSTD(1)),
    log_bytes UInt64 CODEC(T64, ZSTD(1)),
    ratelimit_limit_requests Nullable(UInt64) CODEC(T64, ZSTD(1)),
    ratelimit_remaining_requests Nullable(UInt64) CODEC(T64, ZSTD(1)),
    ratelimit_limit_tokens Nullable(UInt64) CODEC(T64, ZSTD(1)),
    ratelimit_remaining_tokens Nullable(UInt64) CODEC(T64, ZSTD(1)),
    -- Cost: US dollars, exact pico-dollars; amounts are never null
    price_cost Decimal(18, 12)
        COMMENT 'USD; zero where nothing could be priced, see cost_status'
        CODEC(GCD, T64('bit'), ZSTD(1)),
    cost_input Decimal(18, 12) CODEC(GCD, T64('bit'), ZSTD(1)),
    cost_output Decimal(18, 12) CODEC(GCD, T64('bit'), ZSTD(1)),
    cost_cache_read Decimal(18, 12) CODEC(GCD, T64('bit'), ZSTD(1)),
    cost_cache_write Decimal(18, 12) CODEC(GCD, T64('bit'), ZSTD(1)),
    cost_reasoning Decimal(18, 12) CODEC(GCD, T64('bit'), ZSTD(1)),
    cost_other Decimal(18, 12) CODEC(GCD, T64('bit'), ZSTD(1)),
    cost_source LowCardinality(String),
    cost_status LowCardinality(String) COMMENT 'priced, unpriced, partial or zero_rated',
    price_version LowCardinality(String) COMMENT 'the price book that priced this row',
    -- Where the event came from
    stream_id LowCardinality(String) COMMENT 'incarnation of the topic',
    kafka_topic LowCardinality(String),
    kafka_partition UInt32 CODEC(T64, ZSTD(1)),
    kafka_offset UInt64 CODEC(Delta, ZSTD(1)),
    kafka_index UInt32 COMMENT 'place of the event inside its record' CODEC(T64, ZSTD(1)),
    -- The names that the roll-ups use
    cost_usd Decimal(18, 12) ALIAS price_cost,
    team_id String ALIAS team_ids[1],
    -- Pages ask for spans shorter than the ten minutes of the key
    INDEX ts_end_range ts_end TYPE minmax GRANULARITY 1,
    -- One granule in a hundred is read for nothing, at 1.2 bytes an id
    INDEX request_id_bloom request_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX event_id_bloom event_id TYPE bloom_filter(0.01) GRANULARITY 1,
    -- The deduplication horizon and the audit read a range of offsets of one partition
    INDEX kafka_offset_range (kafka_partition, kafka_offset) TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(ts_end)
ORDER BY (toStartOfTenMinutes(ts_end), workspace_id, model)
TTL toDateTime(ts_end) + INTERVAL 14 DAY
SETTINGS
    non_replicated_deduplication_window = 30000, replicated_deduplication_window = 30000,
    replicated_deduplication_window_seconds = 604800,
    default_compression_codec = 'ZSTD(1)',
    min_bytes_for_wide_part = 268435456, min_parts_to_merge_at_once = 16,
    merge_selector_base = 40,
    vertical_merge_algorithm_min_rows_to_activate = 16384,
    ttl_only_drop_parts = 1;
