SELECT w, is_all_windows, is_all_groups, g0, s_requests AS m0, if(s_requests = 0, NULL, toFloat64(s_successes) / toFloat64(s_requests)) AS m1, quantile_ms(b_ttft, {v5:Float64}) AS m2, if(if(is_all_windows = 1, {v3:Float64}, {v4:Array(Float64)}[w + 1]) = 0, NULL, toFloat64(s_requests) / if(is_all_windows = 1, {v3:Float64}, {v4:Array(Float64)}[w + 1]) * {v6:Float64}) AS m3
FROM
(
    SELECT intDiv(toUnixTimestamp64Micro(r.ts_end) - {v1:Int64}, {v2:Int64}) AS w, r.metadata[{v0:String}] AS g0, grouping(w) AS is_all_windows, grouping(g0) AS is_all_groups, countIf(r.is_final) AS s_requests,
        countIf(r.is_final AND r.status_class = '2xx') AS s_successes,
        sumMapIf(map(toInt16(if(toInt64(ifNull(r.ttft_ms, 0) * 1000) <= 0, -1, ceil(log(toInt64(ifNull(r.ttft_ms, 0) * 1000)) / 0.010000083334583179))), toUInt64(1)), r.is_final AND intDiv(r.status_code, 100) = 2 AND r.ttft_ms IS NOT NULL) AS b_ttft
    FROM requests AS r
    WHERE r.workspace_id = {v7:String}
      AND r.ts_end >= fromUnixTimestamp64Micro({v8:Int64}, 'UTC')
      AND r.ts_end < fromUnixTimestamp64Micro({v9:Int64}, 'UTC')
      AND r.region IN {v10:Array(String)}
    GROUP BY GROUPING SETS ((w, g0), (w), (g0), ())
)
