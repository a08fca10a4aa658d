SELECT
    toString(r.model) AS dimension_value,
    sum(r.requests) AS request_count
FROM service_1h_rows AS r
WHERE r.workspace_id = {v0:String} AND r.window_start >= toDateTime({v1:Int64}, 'UTC') AND r.window_start < toDateTime({v2:Int64}, 'UTC') AND startsWith(r.model, {v3:String})
GROUP BY dimension_value
HAVING request_count > 0
ORDER BY request_count DESC, dimension_value
LIMIT {v4:Int64}
