SELECT DISTINCT kafka_topic, kafka_partition, stream_id, first_offset, last_offset
FROM chunk_intents
WHERE decided_at >= toDateTime({since_s:UInt32}, 'UTC')
  AND kafka_topic = {topic:String}
  AND stream_id = {stream_id:String}
  AND kafka_partition = {partition:UInt32}
  AND NOT (kafka_topic = {t0:String} AND kafka_partition = {p0:UInt32} AND stream_id = {s0:String} AND first_offset <= {e0:UInt64})
ORDER BY kafka_topic, stream_id, kafka_partition, first_offset
