SELECT w, is_all_windows, is_all_groups, g0, s_requests AS m0, if(s_requests = 0, NULL, toFloat64(s_successes) / toFloat64(s_requests)) AS m1, quantile_ms(b_ttft, {v5:Float64}) AS m2, if(if(is_all_windows = 1, {v3:Float64}, {v4:Array(Float64)}[w + 1]) = 0, NULL, toFloat64(s_requests) / if(is_all_windows = 1, {v3:Float64}, {v4:Array(Float64)}[w + 1]) * {v6:Float64}) AS m3
FROM
(
    SELECT w, g0, grouping(w) AS is_all_windows, grouping(g0) AS is_all_groups, sum(summed.s_requests) AS s_requests,
        sum(summed.s_successes) AS s_successes,
        sumMap(summed.b_ttft) AS b_ttft
    FROM
    (
    SELECT intDiv(toUnixTimestamp(r.window_start) - {v1:Int64}, {v2:Int64}) AS w, if(r.model IN {v0:Array(String)}, r.model, '__other__') AS g0, sum(r.requests) AS s_requests,
        sum(r.successes) AS s_successes,
        sumMapIf(r.ttft_bins, intDiv(r.status_code, 100) = 2) AS b_ttft
    FROM service_1h_rows AS r
    WHERE r.workspace_id = {v7:String}
      AND r.window_start >= toDateTime({v8:Int64}, 'UTC')
      AND r.window_start < toDateTime({v9:Int64}, 'UTC')
      AND r.region IN {v10:Array(String)}
    GROUP BY w, g0
    ) AS summed
    GROUP BY GROUPING SETS ((w, g0), (w), (g0), ())
)
