SELECT event_id
FROM requests
WHERE kafka_topic = {topic:String}
  AND stream_id = {stream_id:String}
  AND kafka_partition = {partition:UInt32}
  AND kafka_offset >= {floor:UInt64}
  AND kafka_offset < {before:UInt64}
ORDER BY kafka_offset, kafka_index
