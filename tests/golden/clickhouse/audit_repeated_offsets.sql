SELECT kafka_offset
FROM requests
WHERE kafka_topic = {topic:String}
  AND stream_id = {stream_id:String}
  AND kafka_partition = {partition:UInt32}
  AND kafka_offset >= {first:UInt64} AND kafka_offset <= {last:UInt64}
GROUP BY kafka_offset
HAVING count() > uniqExact(kafka_index)
ORDER BY kafka_offset
LIMIT {limit:UInt64}
