SELECT
    toString(reason) AS reason, count() AS count, min(decided_at) AS first_at,
    max(decided_at) AS last_at
FROM dead_letters
WHERE decided_at >= fromUnixTimestamp64Micro({v0:Int64}, 'UTC') AND decided_at < fromUnixTimestamp64Micro({v1:Int64}, 'UTC')
GROUP BY reason
ORDER BY count DESC, reason
