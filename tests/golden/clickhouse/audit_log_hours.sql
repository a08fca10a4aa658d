SELECT toUnixTimestamp(toStartOfHour(ts_end, 'UTC')) AS hour_s, count()
FROM requests
WHERE ts_end >= toDateTime({from_s:UInt32}, 'UTC')
  AND ts_end < toDateTime({to_s:UInt32}, 'UTC')
GROUP BY hour_s
