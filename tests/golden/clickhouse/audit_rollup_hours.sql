SELECT toUnixTimestamp(toStartOfHour(window_start, 'UTC')) AS hour_s, uniqExact(window_start)
FROM usage_1h_rows
WHERE window_start >= toDateTime({from_s:UInt32}, 'UTC')
  AND window_start < toDateTime({to_s:UInt32}, 'UTC')
GROUP BY hour_s
