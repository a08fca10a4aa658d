SELECT
    fromUnixTimestamp64Micro({v4:Array(Int64)}[w + 1], 'UTC') AS {v8:Identifier},
    fromUnixTimestamp64Micro({v5:Array(Int64)}[w + 1], 'UTC') AS {v9:Identifier},
    if(match(g0, '^[-=+@\\t\\r]'), concat('\'', g0), g0) AS {v10:Identifier},
    s_requests AS {v11:Identifier},
    if(s_requests = 0, NULL, toFloat64(s_successes) / toFloat64(s_requests)) AS {v12:Identifier},
    quantile_ms(b_ttft, {v6:Float64}) AS {v13:Identifier},
    if(if(is_all_windows = 1, {v2:Float64}, {v3:Array(Float64)}[w + 1]) = 0, NULL, toFloat64(s_requests) / if(is_all_windows = 1, {v2:Float64}, {v3:Array(Float64)}[w + 1]) * {v7:Float64}) AS {v14:Identifier}
FROM
(
    SELECT 0 AS is_all_windows, intDiv(toUnixTimestamp(r.window_start) - {v0:Int64}, {v1:Int64}) AS w, r.model AS g0, sum(r.requests) AS s_requests,
        sum(r.successes) AS s_successes,
        CAST((groupArrayArrayIf(r.ttft_bins.keys, intDiv(r.status_code, 100) = 2), groupArrayArrayIf(r.ttft_bins.values, intDiv(r.status_code, 100) = 2)), 'Map(Int16, UInt64)') AS b_ttft
    FROM service_1h_rows AS r
    WHERE r.workspace_id = {v15:String}
      AND r.window_start >= toDateTime({v16:Int64}, 'UTC')
      AND r.window_start < toDateTime({v17:Int64}, 'UTC')
      AND r.region IN {v18:Array(String)}
    GROUP BY w, g0
)
ORDER BY w, g0
