SELECT
    concat(toString(kafka_topic), '/', toString(stream_id), '/', leftPad(toString(kafka_partition), 10, '0'), '/', leftPad(toString(kafka_offset), 20, '0'), '/', leftPad(toString(kafka_index), 10, '0')) AS place, decided_at, toString(reason) AS reason, detail,
    toString(kafka_topic) AS kafka_topic, kafka_partition, toString(stream_id) AS stream_id,
    kafka_offset, kafka_index, append_time, content_type, base64Encode(value) AS value
FROM dead_letters
WHERE decided_at >= fromUnixTimestamp64Micro({v0:Int64}, 'UTC') AND decided_at < fromUnixTimestamp64Micro({v1:Int64}, 'UTC') AND reason = {v2:String} AND decided_at <= fromUnixTimestamp64Micro({v3:Int64}, 'UTC') AND (decided_at < fromUnixTimestamp64Micro({v4:Int64}, 'UTC') OR place < {v5:String})
ORDER BY decided_at DESC, place DESC
LIMIT {v6:Int64}
