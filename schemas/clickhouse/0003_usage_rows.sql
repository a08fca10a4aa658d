-- The usage cube: what finance and customers ask, by team, user and account; 1 min, 1 h.
--
-- Rows are deltas: a chunk adds its share of a window, a merge sums the shares, and until it has, a
-- (window, group) has several rows. Ask the views of the same name without _rows instead.
-- AggregatingMergeTree with SimpleAggregateFunction: all is a sum, so no merge can change an
-- answer. The ORDER BY holds every dimension, because it is the key that rows are summed under; the
-- primary key in memory is its head: a workspace, then a span of time, then a model, as pages ask.
-- Partitions are a part of the retention, so that it drops whole parts and rewrites none: weeks for
-- 1 min, months for 1 h. At 10 s a cube by user would be as large as the log.
-- Small sketches are two thirds of a row: ZSTD(3) takes a tenth off them at no measurable CPU.
-- Parts stay in one file up to 256 MB and merge by sixteen at least, as in the log, to spare
-- rewrites. Rows of past minutes are not rewritten for the sake of new ones until those weigh
-- twenty times as much (by default five: by a simulation, half as much rewriting again where a
-- minute has few chunks); an hour's rows all fall into the same groups, and keep the default.
CREATE TABLE IF NOT EXISTS usage_1m_rows
(
    window_start DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    workspace_id LowCardinality(String),
    model LowCardinality(String),
    virtual_model LowCardinality(String),
    team_id LowCardinality(String),
    user_id LowCardinality(String),
    virtual_account_id LowCardinality(String),
    status_class LowCardinality(String),
    -- attempts counts rows, the others final attempts; the six classes sum to requests
    attempts SimpleAggregateFunction(sum, UInt64),
    requests SimpleAggregateFunction(sum, UInt64),
    successes SimpleAggregateFunction(sum, UInt64),
    errors_4xx SimpleAggregateFunction(sum, UInt64),
    rate_limited SimpleAggregateFunction(sum, UInt64),
    client_aborted SimpleAggregateFunction(sum, UInt64),
    errors_5xx SimpleAggregateFunction(sum, UInt64),
    errors_other SimpleAggregateFunction(sum, UInt64),
    -- Tokens of all attempts: inclusive totals, then their disjoint buckets
    input_tokens SimpleAggregateFunction(sum, UInt64),
    output_tokens SimpleAggregateFunction(sum, UInt64),
    uncached_input_tokens SimpleAggregateFunction(sum, UInt64),
    cache_read_tokens SimpleAggregateFunction(sum, UInt64),
    cache_write_5m_tokens SimpleAggregateFunction(sum, UInt64),
    cache_write_1h_tokens SimpleAggregateFunction(sum, UInt64),
    audio_input_tokens SimpleAggregateFunction(sum, UInt64),
    image_input_tokens SimpleAggregateFunction(sum, UInt64),
    video_input_tokens SimpleAggregateFunction(sum, UInt64),
    text_output_tokens SimpleAggregateFunction(sum, UInt64),
    reasoning_tokens SimpleAggregateFunction(sum, UInt64),
    audio_output_tokens SimpleAggregateFunction(sum, UInt64),
    image_output_tokens SimpleAggregateFunction(sum, UInt64),
    -- Media of all attempts; durations are integer microseconds, so sums do not depend on order
    images SimpleAggregateFunction(sum, UInt64),
    characters SimpleAggregateFunction(sum, UInt64),
    audio_out_us SimpleAggregateFunction(sum, UInt64),
    audio_in_us SimpleAggregateFunction(sum, UInt64),
    video_us SimpleAggregateFunction(sum, UInt64),
    -- Effort of all attempts
    gpu_us SimpleAggregateFunction(sum, UInt64),
    egress_bytes SimpleAggregateFunction(sum, UInt64),
    cold_starts SimpleAggregateFunction(sum, UInt64),
    cache_hits SimpleAggregateFunction(sum, UInt64),
    deadlines_missed SimpleAggregateFunction(sum, UInt64),
    -- Pico-dollars in 128 bits: 64 bits of them end at 9.2 million dollars
    cost_usd SimpleAggregateFunction(sum, Decimal(38, 12)) CODEC(GCD, ZSTD(1)),
    unpriced_requests SimpleAggregateFunction(sum, UInt64),
    partially_priced_requests SimpleAggregateFunction(sum, UInt64),
    -- Durations of final attempts that carry them: sum and count make the mean; itl counts gaps
    queue_us_sum SimpleAggregateFunction(sum, UInt64),
    queue_count SimpleAggregateFunction(sum, UInt64),
    ttft_us_sum SimpleAggregateFunction(sum, UInt64),
    ttft_count SimpleAggregateFunction(sum, UInt64),
    ttfa_us_sum SimpleAggregateFunction(sum, UInt64),
    ttfa_count SimpleAggregateFunction(sum, UInt64),
    prefill_us_sum SimpleAggregateFunction(sum, UInt64),
    prefill_count SimpleAggregateFunction(sum, UInt64),
    decode_us_sum SimpleAggregateFunction(sum, UInt64),
    decode_count SimpleAggregateFunction(sum, UInt64),
    e2e_us_sum SimpleAggregateFunction(sum, UInt64),
    e2e_count SimpleAggregateFunction(sum, UInt64),
    tpot_us_sum SimpleAggregateFunction(sum, UInt64),
    tpot_count SimpleAggregateFunction(sum, UInt64),
    itl_us_sum SimpleAggregateFunction(sum, UInt64),
    itl_count SimpleAggregateFunction(sum, UInt64),
    -- Log-bin sketches: merging adds counts, so any grouping gives the percentile of its rows
    ttft_bins SimpleAggregateFunction(sumMap, Map(Int16, UInt64)) CODEC(ZSTD(3)),
    e2e_bins SimpleAggregateFunction(sumMap, Map(Int16, UInt64)) CODEC(ZSTD(3)),
    itl_bins SimpleAggregateFunction(sumMap, Map(Int16, UInt64)) CODEC(ZSTD(3)),
    tpot_bins SimpleAggregateFunction(sumMap, Map(Int16, UInt64)) CODEC(ZSTD(3)),
    queue_bins SimpleAggregateFunction(sumMap, Map(Int16, UInt64)) CODEC(ZSTD(3))
)
ENGINE = AggregatingMergeTree
PARTITION BY toMonday(window_start)
PRIMARY KEY (workspace_id, window_start, model)
ORDER BY (
    workspace_id, window_start, model,
    virtual_model, team_id, user_id, virtual_account_id, status_class
)
TTL window_start + INTERVAL 90 DAY
SETTINGS
    non_replicated_deduplication_window = 30000, replicated_deduplication_window = 30000,
    replicated_deduplication_window_seconds = 604800,
    default_compression_codec = 'ZSTD(1)',
    min_bytes_for_wide_part = 268435456, min_parts_to_merge_at_once = 16,
    merge_selector_base = 20,
    ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS usage_1h_rows AS usage_1m_rows
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(window_start)
PRIMARY KEY (workspace_id, window_start, model)
ORDER BY (
    workspace_id, window_start, model,
    virtual_model, team_id, user_id, virtual_account_id, status_class
)
TTL window_start + INTERVAL 1095 DAY
SETTINGS
    non_replicated_deduplication_window = 30000, replicated_deduplication_window = 30000,
    replicated_deduplication_window_seconds = 604800,
    default_compression_codec = 'ZSTD(1)',
    min_bytes_for_wide_part = 268435456, min_parts_to_merge_at_once = 16,
    ttl_only_drop_parts = 1;
