SELECT 0 AS w, is_all_windows, is_all_groups, g0, g1, s_requests AS m0, if(s_requests = 0, NULL, toFloat64(s_successes) / toFloat64(s_requests)) AS m1, quantile_ms(b_ttft, {v2:Float64}) AS m2, if({v1:Float64} = 0, NULL, toFloat64(s_requests) / {v1:Float64} * {v3:Float64}) AS m3
FROM
(
    SELECT g0, g1, 1 AS is_all_windows, grouping(g0) AS is_all_groups, sum(summed.s_requests) AS s_requests,
        sum(summed.s_successes) AS s_successes,
        sumMap(summed.b_ttft) AS b_ttft
    FROM
    (
    SELECT if((toString(r.model), toString(toString(r.status_code))) IN {v0:Array(Tuple(String, String))}, r.model, '__other__') AS g0, if((toString(r.model), toString(toString(r.status_code))) IN {v0:Array(Tuple(String, String))}, toString(r.status_code), '__other__') AS g1, sum(r.requests) AS s_requests,
        sum(r.successes) AS s_successes,
        sumMapIf(r.ttft_bins, intDiv(r.status_code, 100) = 2) AS b_ttft
    FROM service_1h_rows AS r
    WHERE r.workspace_id = {v4:String}
      AND r.window_start >= toDateTime({v5:Int64}, 'UTC')
      AND r.window_start < toDateTime({v6:Int64}, 'UTC')
      AND r.region IN {v7:Array(String)}
    GROUP BY g0, g1
    ) AS summed
    GROUP BY GROUPING SETS ((g0, g1), ())
)
