SELECT
    kafka_topic, kafka_partition, stream_id, max(last_offset),
    toUnixTimestamp(min(decided_at))
FROM chunk_ledger
GROUP BY kafka_topic, kafka_partition, stream_id
