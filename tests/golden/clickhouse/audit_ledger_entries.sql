SELECT
    first_offset, last_offset, records, events, stored, dead, duplicates, days,
    toUnixTimestamp(decided_at)
FROM chunk_ledger
WHERE kafka_topic = {topic:String}
  AND stream_id = {stream_id:String}
  AND kafka_partition = {partition:UInt32}
  AND first_offset >= {from_offset:UInt64}
  AND decided_at >= toDateTime({from_s:UInt32}, 'UTC')
  AND decided_at < toDateTime({to_s:UInt32}, 'UTC')
ORDER BY first_offset, last_offset
LIMIT {limit:UInt64}
