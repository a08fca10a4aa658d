-- What people and audits did to the data: repairs of roll-ups, and dead letters that were sent again.
-- Both are kept without limit: they are rare, and explain figures that changed.

-- Deltas that an audit added to a roll-up table, one row a (window, group), written before the
-- deltas themselves; one more row says that they were inserted.
CREATE TABLE IF NOT EXISTS audit_repairs
(
    token String COMMENT 'deduplication token of the insert of the deltas',
    state LowCardinality(String) COMMENT 'begun: written before the insert, done: after it',
    rows_table LowCardinality(String),
    window_start DateTime('UTC'),
    dimensions Map(LowCardinality(String), String) COMMENT 'the group; empty where state is done',
    deltas Map(LowCardinality(String), String)
        COMMENT 'what was added to each measure, with its sign; of a sketch, bin by bin',
    recorded_at DateTime64(6, 'UTC')
)
ENGINE = MergeTree
ORDER BY (rows_table, window_start, token)
SETTINGS
    non_replicated_deduplication_window = 30000, replicated_deduplication_window = 30000,
    replicated_deduplication_window_seconds = 604800;

-- Dead letters that were sent to their partition again: a row before the record is sent, and one
-- after the broker has it. A letter with the first alone may or may not have been sent.
CREATE TABLE IF NOT EXISTS redrives
(
    kafka_topic LowCardinality(String),
    kafka_partition UInt32,
    stream_id LowCardinality(String) COMMENT 'incarnation of the topic that the letter came from',
    kafka_offset UInt64 COMMENT 'place of the letter',
    kafka_index UInt32,
    state LowCardinality(String) COMMENT 'begun or sent',
    event_id String COMMENT 'of the event as it was sent',
    sent_offset UInt64 COMMENT 'place of the new record in the partition, where state is sent',
    changes String COMMENT 'fields that were set or unset, as JSON',
    recorded_at DateTime64(6, 'UTC')
)
ENGINE = MergeTree
ORDER BY (kafka_topic, kafka_partition, stream_id, kafka_offset, kafka_index)
SETTINGS
    non_replicated_deduplication_window = 30000, replicated_deduplication_window = 30000,
    replicated_deduplication_window_seconds = 604800;
