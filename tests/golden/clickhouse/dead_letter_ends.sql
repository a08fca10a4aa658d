SELECT kafka_partition, stream_id, max(kafka_offset)
FROM dead_letters
WHERE kafka_topic = {topic:String}
  AND reason IN {reasons:Array(String)}
  AND kafka_partition IN {partitions:Array(UInt32)}
  AND decided_at >= fromUnixTimestamp64Micro({from_us:Int64}, 'UTC')
  AND decided_at < fromUnixTimestamp64Micro({to_us:Int64}, 'UTC')
  AND ((kafka_partition = {p0:UInt32} AND kafka_offset = {o0:UInt64}) OR (kafka_partition = {p1:UInt32} AND kafka_offset = {o1:UInt64} AND kafka_index = {i1:UInt32}))
GROUP BY kafka_partition, stream_id
