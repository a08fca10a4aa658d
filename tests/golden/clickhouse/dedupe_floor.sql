SELECT min(first_offset)
FROM
(
    SELECT first_offset, sum(stored) OVER (ORDER BY first_offset DESC) - stored AS newer
    FROM chunk_ledger
    WHERE kafka_topic = {topic:String}
  AND stream_id = {stream_id:String}
  AND kafka_partition = {partition:UInt32}
      AND first_offset < {before:UInt64}
)
WHERE newer < {max_events:UInt64}
