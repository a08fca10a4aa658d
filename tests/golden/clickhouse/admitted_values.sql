SELECT month, toString(dimension) AS dimension, value
FROM dimension_values
WHERE kafka_topic = {topic:String}
  AND stream_id = {stream_id:String}
  AND kafka_partition = {partition:UInt32}
  AND kafka_offset < {before:UInt64}
  AND month = (
    SELECT max(month)
    FROM dimension_values
    WHERE kafka_topic = {topic:String}
  AND stream_id = {stream_id:String}
  AND kafka_partition = {partition:UInt32}
      AND kafka_offset < {before:UInt64}
  )
ORDER BY kafka_offset, kafka_index
