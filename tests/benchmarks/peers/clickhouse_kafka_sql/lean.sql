CREATE DATABASE race;
USE race;
CREATE TABLE log (
    event_id String,
    ts_end DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    request_id String,
    model LowCardinality(String),
    user_id LowCardinality(String),
    stream Bool,
    status_code UInt16,
    input_tokens UInt32,
    output_tokens UInt32,
    ttft_ms Float64,
    e2e_ms Float64
) ENGINE = MergeTree PARTITION BY toDate(ts_end) ORDER BY (model, ts_end);
CREATE TABLE service (
    window DateTime('UTC'),
    model LowCardinality(String),
    status_code UInt16,
    requests SimpleAggregateFunction(sum, UInt64),
    input_tokens SimpleAggregateFunction(sum, UInt64),
    output_tokens SimpleAggregateFunction(sum, UInt64),
    ttft_ms_sum SimpleAggregateFunction(sum, Float64),
    e2e_ms_sum SimpleAggregateFunction(sum, Float64),
    ttft_ms AggregateFunction(quantilesDD(0.005, 0.5, 0.99), Float64),
    e2e_ms AggregateFunction(quantilesDD(0.005, 0.5, 0.99), Float64)
) ENGINE = AggregatingMergeTree ORDER BY (window, model, status_code);
CREATE TABLE queue (
    event_id String,
    ts_end Int64,
    request_id String,
    model LowCardinality(String),
    user_id LowCardinality(String),
    stream Bool,
    status_code UInt16,
    input_tokens UInt32,
    output_tokens UInt32,
    ttft_ms Float64,
    e2e_ms Float64
) ENGINE = Kafka SETTINGS
    kafka_broker_list = '{servers}',
    kafka_topic_list = '{topic}',
    kafka_group_name = '{group}',
    kafka_format = 'JSONEachRow',
    kafka_num_consumers = 1,
    kafka_thread_per_consumer = 1,
    kafka_max_block_size = 131072,
    kafka_poll_max_batch_size = 65536,
    kafka_flush_interval_ms = 7500;
CREATE MATERIALIZED VIEW to_service TO service AS SELECT
    toDateTime(intDiv(ts_end, 10000000) * 10, 'UTC') AS window,
    model,
    status_code,
    count() AS requests,
    sum(queue.input_tokens) AS input_tokens,
    sum(queue.output_tokens) AS output_tokens,
    sum(queue.ttft_ms) AS ttft_ms_sum,
    sum(queue.e2e_ms) AS e2e_ms_sum,
    quantilesDDState(0.005, 0.5, 0.99)(queue.ttft_ms) AS ttft_ms,
    quantilesDDState(0.005, 0.5, 0.99)(queue.e2e_ms) AS e2e_ms
FROM queue GROUP BY window, model, status_code;
CREATE MATERIALIZED VIEW to_log TO log AS SELECT
    * EXCEPT ts_end, fromUnixTimestamp64Micro(ts_end, 'UTC') AS ts_end
FROM queue
