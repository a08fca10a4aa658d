SELECT event_id, arraySort(groupArray((kafka_topic, kafka_partition, kafka_offset)))
FROM requests
WHERE ts_end >= toDateTime({from_s:UInt32}, 'UTC')
  AND ts_end < toDateTime({to_s:UInt32}, 'UTC')
  AND cityHash64(event_id) IN {hashes:Array(UInt64)}
GROUP BY event_id
HAVING count() > 1
ORDER BY event_id
