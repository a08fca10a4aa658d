SELECT g0, count() OVER () AS groups_total
FROM
(
    SELECT r.model AS g0, sum(r.requests) AS s_requests
    FROM service_1h_rows AS r
    WHERE r.workspace_id = {v2:String}
      AND r.window_start >= toDateTime({v3:Int64}, 'UTC')
      AND r.window_start < toDateTime({v4:Int64}, 'UTC')
      AND r.region IN {v5:Array(String)}
    GROUP BY g0
)
ORDER BY s_requests DESC NULLS LAST, g0
LIMIT {v1:Int64}
