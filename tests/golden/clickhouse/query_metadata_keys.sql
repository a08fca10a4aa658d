SELECT toString(arrayJoin(mapKeys(r.metadata))) AS metadata_key, count() AS requests
FROM requests AS r
WHERE r.workspace_id = {v0:String} AND r.ts_end >= fromUnixTimestamp64Micro({v1:Int64}, 'UTC') AND r.ts_end < fromUnixTimestamp64Micro({v2:Int64}, 'UTC') AND r.is_final
GROUP BY metadata_key
ORDER BY requests DESC, metadata_key
LIMIT 10000
