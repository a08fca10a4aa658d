SELECT kafka_topic, kafka_partition, stream_id, kafka_offset, kafka_index, base64Encode(any(value))
FROM dead_letters
WHERE (kafka_topic, kafka_partition, stream_id, kafka_offset, kafka_index) IN (({t0:String}, {p0:UInt32}, {s0:String}, {o0:UInt64}, {i0:UInt32}))
GROUP BY kafka_topic, kafka_partition, stream_id, kafka_offset, kafka_index
