SELECT DISTINCT
    0 AS number,
    intDiv(toUnixTimestamp(ts_end), {seconds:UInt32}) * {seconds:UInt32}
FROM requests
WHERE kafka_topic = {t0:String} AND kafka_partition = {p0:UInt32}
  AND stream_id = {s0:String}
  AND kafka_offset >= {f0:UInt64} AND kafka_offset <= {l0:UInt64}
