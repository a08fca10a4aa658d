SELECT w, is_all_windows, is_all_groups, s_requests AS m0, if(s_requests = 0, NULL, toFloat64(s_successes) / toFloat64(s_requests)) AS m1, quantile_ms(b_ttft, {v4:Float64}) AS m2, if(if(is_all_windows = 1, {v1:Float64}, {v2:Array(Float64)}[indexOf({v3:Array(Int64)}, w)]) = 0, NULL, toFloat64(s_requests) / if(is_all_windows = 1, {v1:Float64}, {v2:Array(Float64)}[indexOf({v3:Array(Int64)}, w)]) * {v5:Float64}) AS m3
FROM
(
    SELECT w, grouping(w) AS is_all_windows, 1 AS is_all_groups, sum(summed.s_requests) AS s_requests,
        sum(summed.s_successes) AS s_successes,
        sumMap(summed.b_ttft) AS b_ttft
    FROM
    (
    SELECT roundDown(toInt64(toUnixTimestamp(r.window_start)), {v0:Array(Int64)}) AS w, sum(r.requests) AS s_requests,
        sum(r.successes) AS s_successes,
        sumMapIf(r.ttft_bins, intDiv(r.status_code, 100) = 2) AS b_ttft
    FROM service_1h_rows AS r
    WHERE r.workspace_id = {v6:String}
      AND r.window_start >= toDateTime({v7:Int64}, 'UTC')
      AND r.window_start < toDateTime({v8:Int64}, 'UTC')
      AND r.region IN {v9:Array(String)}
    GROUP BY w
    ) AS summed
    GROUP BY GROUPING SETS ((w), ())
)
