SELECT
    toString(freshness.kafka_topic) AS kafka_topic,
    freshness.kafka_partition AS kafka_partition,
    toString(freshness.stream_id) AS stream_id,
    freshness.watermark AS watermark,
    freshness.updated_at AS updated_at,
    account.chunks AS chunks, account.records AS records, account.events AS events, account.stored AS stored, account.dead AS dead, account.duplicates AS duplicates
FROM freshness
LEFT JOIN
(
    SELECT kafka_topic, kafka_partition, stream_id, count() AS chunks, sum(l.records) AS records, sum(l.events) AS events, sum(l.stored) AS stored, sum(l.dead) AS dead, sum(l.duplicates) AS duplicates
    FROM chunk_ledger AS l
    WHERE decided_at >= now64(6, 'UTC') - INTERVAL 1 HOUR
    GROUP BY kafka_topic, kafka_partition, stream_id
) AS account
ON account.kafka_topic = freshness.kafka_topic
    AND account.kafka_partition = freshness.kafka_partition
    AND account.stream_id = freshness.stream_id
ORDER BY kafka_topic, kafka_partition
