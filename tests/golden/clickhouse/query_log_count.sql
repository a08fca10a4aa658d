SELECT count() AS row_count
FROM
(
SELECT 1 AS one
FROM requests AS r
WHERE r.workspace_id = {v0:String}
  AND r.ts_end >= fromUnixTimestamp64Micro({v1:Int64}, 'UTC')
  AND r.ts_end < fromUnixTimestamp64Micro({v2:Int64}, 'UTC')
  AND NOT (r.status_class IN {v3:Array(String)})
  AND r.request_id = {v4:String}
  AND r.is_final
  AND r.ts_end <= fromUnixTimestamp64Micro({v6:Int64}, 'UTC')
  AND (r.ts_end < fromUnixTimestamp64Micro({v7:Int64}, 'UTC') OR r.event_id < {v5:String})
LIMIT {v8:Int64}
)
