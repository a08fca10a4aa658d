SELECT cityHash64(event_id) AS hash
FROM requests
WHERE ts_end >= toDateTime({from_s:UInt32}, 'UTC')
  AND ts_end < toDateTime({to_s:UInt32}, 'UTC')
  AND cityHash64(event_id) % {parts:UInt64} = {part:UInt64}
GROUP BY hash
HAVING count() > 1
ORDER BY hash
LIMIT {limit:UInt64}
