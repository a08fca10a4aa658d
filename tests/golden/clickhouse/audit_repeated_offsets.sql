SELECT kafka_offset, kafka_index
FROM requests
WHERE kafka_topic = {topic:String}
  AND stream_id = {stream_id:String}
  AND kafka_partition = {partition:UInt32}
  AND kafka_offset >= {first:UInt64} AND kafka_offset <= {last:UInt64}
GROUP BY kafka_offset, kafka_index
HAVING count() > 1
ORDER BY kafka_offset, kafka_index
LIMIT {limit:UInt64}
