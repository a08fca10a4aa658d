-- What became of records that made no row, and of each chunk; what is final; what things cost.

-- Events that the door refused, with their original bytes, so that they can be mended and sent
-- again. Ordered by reason, since that is how they are counted and shown; age is by when it was
-- decided, because a bad event's own time may be the very thing that is wrong.
CREATE TABLE IF NOT EXISTS dead_letters
(
    reason LowCardinality(String) COMMENT 'machine-readable: the first rule that the event broke',
    detail String COMMENT 'what a person needs to mend the producer',
    kafka_topic LowCardinality(String),
    kafka_partition UInt32,
    kafka_offset UInt64 CODEC(Delta, ZSTD(1)),
    kafka_index UInt32 COMMENT 'place of the event inside its record',
    stream_id LowCardinality(String) COMMENT 'incarnation of the topic',
    append_time DateTime64(3, 'UTC') COMMENT 'time stamp of the record' CODEC(Delta, ZSTD(1)),
    decided_at DateTime64(6, 'UTC') COMMENT 'when the chunk was judged' CODEC(Delta, ZSTD(1)),
    content_type String,
    value String COMMENT 'the original bytes'
)
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(decided_at)
ORDER BY (reason, kafka_topic, kafka_partition, stream_id, kafka_offset, kafka_index)
TTL toDateTime(decided_at) + INTERVAL 14 DAY
SETTINGS
    non_replicated_deduplication_window = 30000, replicated_deduplication_window = 30000,
    replicated_deduplication_window_seconds = 604800,
    default_compression_codec = 'ZSTD(1)',
    ttl_only_drop_parts = 1;

-- One row a chunk: the receipt that every event of [first_offset, last_offset] was stored, dead or
-- a duplicate. Ordered as the audit and the replay look things up: a partition, then an offset.
-- Sixteen parts are merged at once at least, since a merge of rows as few as these costs what an
-- insert does, 5 ms of CPU.
CREATE TABLE IF NOT EXISTS chunk_ledger
(
    stream_id LowCardinality(String) COMMENT 'incarnation of the topic',
    kafka_topic LowCardinality(String),
    kafka_partition UInt32,
    first_offset UInt64 CODEC(Delta, ZSTD(1)),
    last_offset UInt64 CODEC(Delta, ZSTD(1)),
    records UInt64,
    events UInt64 COMMENT 'stored + dead + duplicates',
    stored UInt64,
    dead UInt64,
    duplicates UInt64,
    unknown_fields UInt64,
    decided_at DateTime64(6, 'UTC') COMMENT 'the clock of the door' CODEC(Delta, ZSTD(1)),
    price_version LowCardinality(String),
    cubes_version LowCardinality(String),
    watermark DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    partition_count UInt32 COMMENT 'partitions of the topic when the chunk was cut',
    days UInt32 COMMENT 'days of event time that its rows lie in: parts an insert of it makes',
    folded Map(LowCardinality(String), UInt64)
        COMMENT 'events counted as __other__ in roll-ups, by dimension'
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(decided_at)
ORDER BY (kafka_topic, kafka_partition, stream_id, first_offset)
TTL toDateTime(decided_at) + INTERVAL 90 DAY
SETTINGS
    non_replicated_deduplication_window = 30000, replicated_deduplication_window = 30000,
    replicated_deduplication_window_seconds = 604800,
    default_compression_codec = 'ZSTD(1)',
    min_parts_to_merge_at_once = 16;

-- What was decided about each chunk, before any other row of it was written. The consumer group holds
-- the same for the chunk that is open; this copy says how far a chunk was meant to reach when the
-- group's offsets have expired or went back while it was half written. An intent without a ledger
-- row is a chunk that is open.
CREATE TABLE IF NOT EXISTS chunk_intents
(
    stream_id LowCardinality(String) COMMENT 'incarnation of the topic',
    kafka_topic LowCardinality(String),
    kafka_partition UInt32,
    first_offset UInt64 CODEC(Delta, ZSTD(1)),
    last_offset UInt64 CODEC(Delta, ZSTD(1)),
    decided_at DateTime64(6, 'UTC') COMMENT 'the clock of the door' CODEC(Delta, ZSTD(1)),
    intent String COMMENT 'all that pins the outcome of the chunk, as JSON'
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(decided_at)
ORDER BY (kafka_topic, kafka_partition, stream_id, first_offset)
TTL toDateTime(decided_at) + INTERVAL 90 DAY
SETTINGS
    non_replicated_deduplication_window = 30000, replicated_deduplication_window = 30000,
    replicated_deduplication_window_seconds = 604800,
    default_compression_codec = 'ZSTD(1)',
    min_parts_to_merge_at_once = 16;

-- Up to which event time a partition is complete. Both instants are maxima under every merge, so a
-- row that arrives late or twice never takes a watermark back. One row a partition after merges.
CREATE TABLE IF NOT EXISTS watermarks
(
    stream_id LowCardinality(String) COMMENT 'incarnation of the topic',
    kafka_topic LowCardinality(String),
    kafka_partition UInt32,
    watermark SimpleAggregateFunction(max, DateTime64(6, 'UTC')),
    updated_at SimpleAggregateFunction(max, DateTime64(6, 'UTC'))
)
ENGINE = AggregatingMergeTree
ORDER BY (kafka_topic, kafka_partition, stream_id)
TTL toDateTime(updated_at) + INTERVAL 90 DAY
SETTINGS
    non_replicated_deduplication_window = 30000, replicated_deduplication_window = 30000,
    replicated_deduplication_window_seconds = 604800;

-- Each chunk's watermark travels with its ledger row. The pairing of tokens that views break does
-- not matter here: a maximum that is taken twice, or once too few until the next chunk, is no error.
CREATE MATERIALIZED VIEW IF NOT EXISTS ledger_watermarks TO watermarks AS
SELECT
    stream_id,
    kafka_topic,
    kafka_partition,
    max(l.watermark) AS watermark,
    max(l.decided_at) AS updated_at
FROM chunk_ledger AS l
GROUP BY stream_id, kafka_topic, kafka_partition;

-- Every price book that priced a row of the log: price_version there is version here.
-- Kept without limit, because money has to be explained years later; a book is a few thousand rows.
-- ReplacingMergeTree, so that publishing a book twice leaves one copy: equal versions price alike.
CREATE TABLE IF NOT EXISTS price_book
(
    version LowCardinality(String),
    source LowCardinality(String) COMMENT 'the list it comes from',
    provider LowCardinality(String) COMMENT 'empty: any provider',
    model String COMMENT 'what the source calls the model',
    model_match String COMMENT 'which names of models it prices, where that is not one name',
    unit LowCardinality(String) COMMENT 'what is billed: a usage field of the event, or requests',
    usd_per_unit Decimal(38, 18) COMMENT 'for one token, image, character, second or request',
    effective_from DateTime64(6, 'UTC'),
    effective_to DateTime64(6, 'UTC') COMMENT 'not included; the year 2200 and later: open',
    min_input_tokens UInt32 COMMENT 'holds once the input total exceeds this; 0: always',
    traffic_class LowCardinality(String) COMMENT 'empty: any',
    daily_from_us UInt64 COMMENT 'start of a daily window, microseconds since midnight UTC',
    daily_to_us UInt64 COMMENT 'end of it; equal to the start: all day'
)
ENGINE = ReplacingMergeTree
ORDER BY (
    version, provider, model, model_match, unit, source, effective_from, min_input_tokens,
    traffic_class, daily_from_us
)
SETTINGS
    non_replicated_deduplication_window = 30000, replicated_deduplication_window = 30000,
    replicated_deduplication_window_seconds = 604800;
