SELECT
    kafka_topic, kafka_partition, stream_id, kafka_offset, kafka_index, reason, detail, decided_us, append_ms, content_type, size, s.begun, s.sent
FROM
(
    SELECT
        kafka_topic, kafka_partition, stream_id, kafka_offset, kafka_index, reason, detail, toUnixTimestamp64Micro(decided_at) AS decided_us,
        toUnixTimestamp64Milli(append_time) AS append_ms, content_type, length(value) AS size
    FROM dead_letters
    WHERE kafka_topic = {topic:String}
  AND reason IN {reasons:Array(String)}
  AND kafka_partition IN {partitions:Array(UInt32)}
  AND decided_at >= fromUnixTimestamp64Micro({from_us:Int64}, 'UTC')
  AND decided_at < fromUnixTimestamp64Micro({to_us:Int64}, 'UTC')
  AND ((kafka_partition = {p0:UInt32} AND kafka_offset = {o0:UInt64}) OR (kafka_partition = {p1:UInt32} AND kafka_offset = {o1:UInt64} AND kafka_index = {i1:UInt32}))
  AND decided_at >= fromUnixTimestamp64Micro({after_us:Int64}, 'UTC')
  AND (toUnixTimestamp64Micro(decided_at), stream_id, kafka_partition, kafka_offset, kafka_index)
    > ({after_us:Int64}, {after_stream:String}, {after_partition:UInt32}, {after_offset:UInt64},
       {after_index:UInt32})
    ORDER BY decided_us, stream_id, kafka_partition, kafka_offset, kafka_index
    LIMIT {limit:UInt64}
) AS l
LEFT JOIN
(
    SELECT kafka_topic, kafka_partition, stream_id, kafka_offset, kafka_index, countIf(state = 'begun') AS begun, countIf(state = 'sent') AS sent
    FROM redrives
    WHERE (kafka_topic, kafka_partition, stream_id, kafka_offset, kafka_index) IN (SELECT kafka_topic, kafka_partition, stream_id, kafka_offset, kafka_index FROM (
    SELECT
        kafka_topic, kafka_partition, stream_id, kafka_offset, kafka_index, reason, detail, toUnixTimestamp64Micro(decided_at) AS decided_us,
        toUnixTimestamp64Milli(append_time) AS append_ms, content_type, length(value) AS size
    FROM dead_letters
    WHERE kafka_topic = {topic:String}
  AND reason IN {reasons:Array(String)}
  AND kafka_partition IN {partitions:Array(UInt32)}
  AND decided_at >= fromUnixTimestamp64Micro({from_us:Int64}, 'UTC')
  AND decided_at < fromUnixTimestamp64Micro({to_us:Int64}, 'UTC')
  AND ((kafka_partition = {p0:UInt32} AND kafka_offset = {o0:UInt64}) OR (kafka_partition = {p1:UInt32} AND kafka_offset = {o1:UInt64} AND kafka_index = {i1:UInt32}))
  AND decided_at >= fromUnixTimestamp64Micro({after_us:Int64}, 'UTC')
  AND (toUnixTimestamp64Micro(decided_at), stream_id, kafka_partition, kafka_offset, kafka_index)
    > ({after_us:Int64}, {after_stream:String}, {after_partition:UInt32}, {after_offset:UInt64},
       {after_index:UInt32})
    ORDER BY decided_us, stream_id, kafka_partition, kafka_offset, kafka_index
    LIMIT {limit:UInt64}
    ))
    GROUP BY kafka_topic, kafka_partition, stream_id, kafka_offset, kafka_index
) AS s USING (kafka_topic, kafka_partition, stream_id, kafka_offset, kafka_index)
ORDER BY decided_us, stream_id, kafka_partition, kafka_offset, kafka_index
