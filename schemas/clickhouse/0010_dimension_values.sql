-- Which values of a dimension have roll-up rows of their own; all others are counted as __other__.

-- One row a value that a partition has admitted in a month, written by the chunk that brought it
-- first. What a chunk folds follows from the rows before its first offset and from itself, so the
-- order of places is the order of appearance, and the key. An audit folds the log by these rows:
-- they are kept for as long as any row of the log that they may have folded.
-- Partitioned by month, since all that a month has admitted is forgotten together.
CREATE TABLE IF NOT EXISTS dimension_values
(
    stream_id LowCardinality(String) COMMENT 'incarnation of the topic',
    kafka_topic LowCardinality(String),
    kafka_partition UInt32,
    month Date COMMENT 'first day of the month (UTC) of the chunk; never goes back in a partition',
    dimension LowCardinality(String),
    value String,
    kafka_offset UInt64 COMMENT 'the event that brought it first' CODEC(Delta, ZSTD(1)),
    kafka_index UInt32 COMMENT 'place of that event inside its record'
)
ENGINE = MergeTree
PARTITION BY month
ORDER BY (kafka_topic, kafka_partition, stream_id, month, dimension, kafka_offset, kafka_index)
TTL month + INTERVAL 90 DAY
SETTINGS
    non_replicated_deduplication_window = 30000, replicated_deduplication_window = 30000,
    replicated_deduplication_window_seconds = 604800,
    default_compression_codec = 'ZSTD(1)',
    ttl_only_drop_parts = 1;

-- How full the lists are: of each dimension and month the distinct values, how many the fullest
-- partition has admitted (what the cap bounds), and how many events went to __other__.
CREATE OR REPLACE VIEW dimension_use AS
SELECT
    listed.kafka_topic AS kafka_topic,
    listed.stream_id AS stream_id,
    listed.month AS month,
    listed.dimension AS dimension,
    listed.distinct_values AS distinct_values,
    listed.fullest_partition_values AS fullest_partition_values,
    folding.folded_events AS folded_events
FROM
(
    SELECT
        kafka_topic, stream_id, month, toString(dimension) AS dimension,
        uniqExactMerge(admitted) AS distinct_values,
        max(admitted_count) AS fullest_partition_values
    FROM
    (
        SELECT
            kafka_topic, stream_id, kafka_partition, month, dimension,
            uniqExactState(value) AS admitted, count() AS admitted_count
        FROM dimension_values
        GROUP BY kafka_topic, stream_id, kafka_partition, month, dimension
    )
    GROUP BY kafka_topic, stream_id, month, dimension
) AS listed
LEFT JOIN
(
    SELECT
        kafka_topic, stream_id, toStartOfMonth(decided_at) AS month,
        toString(arrayJoin(mapKeys(folded)) AS folding_dimension) AS dimension,
        sum(folded[folding_dimension]) AS folded_events
    FROM chunk_ledger
    GROUP BY kafka_topic, stream_id, month, dimension
) AS folding
ON
    listed.kafka_topic = folding.kafka_topic AND listed.stream_id = folding.stream_id
    AND listed.month = folding.month AND listed.dimension = folding.dimension;

-- Values with rows of their own that may not hold all of their events: a partition that folds this
-- dimension has not admitted them, others have. Their missing share is in __other__; the log has all.
CREATE OR REPLACE VIEW partly_folded_values AS
SELECT
    listed.kafka_topic AS kafka_topic,
    listed.stream_id AS stream_id,
    listed.month AS month,
    listed.dimension AS dimension,
    listed.value AS value,
    listed.partitions AS admitted_by,
    arrayFilter(p -> NOT has(listed.partitions, p), folding.partitions) AS not_admitted_by
FROM
(
    SELECT
        kafka_topic, stream_id, month, toString(dimension) AS dimension, value,
        arraySort(groupUniqArray(kafka_partition)) AS partitions
    FROM dimension_values
    GROUP BY kafka_topic, stream_id, month, dimension, value
) AS listed
INNER JOIN
(
    SELECT
        kafka_topic, stream_id, toStartOfMonth(decided_at) AS month,
        toString(arrayJoin(mapKeys(folded))) AS dimension,
        arraySort(groupUniqArray(kafka_partition)) AS partitions
    FROM chunk_ledger
    GROUP BY kafka_topic, stream_id, month, dimension
) AS folding
ON
    listed.kafka_topic = folding.kafka_topic AND listed.stream_id = folding.stream_id
    AND listed.month = folding.month AND listed.dimension = folding.dimension
WHERE NOT hasAll(listed.partitions, folding.partitions);
