SELECT DISTINCT kafka_topic, kafka_partition, stream_id
FROM
(
    SELECT kafka_topic, kafka_partition, stream_id FROM chunk_ledger
    WHERE decided_at >= toDateTime({from_s:UInt32}, 'UTC')
    UNION ALL
    SELECT kafka_topic, kafka_partition, stream_id FROM chunk_intents
    WHERE decided_at >= toDateTime({from_s:UInt32}, 'UTC')
    UNION ALL
    SELECT kafka_topic, kafka_partition, stream_id FROM requests
    WHERE ts_end >= toDateTime({from_s:UInt32}, 'UTC')
      AND ts_end < toDateTime({to_s:UInt32}, 'UTC')
)
ORDER BY kafka_topic, stream_id, kafka_partition
