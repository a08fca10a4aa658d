SELECT
    fromUnixTimestamp64Micro({v4:Array(Int64)}[w + 1], 'UTC') AS {v8:Identifier},
    fromUnixTimestamp64Micro({v5:Array(Int64)}[w + 1], 'UTC') AS {v9:Identifier},
    if(match(g0, '^[-=+@\\t\\r]'), concat('\'', g0), g0) AS {v10:Identifier},
    s_requests AS {v11:Identifier},
    if(s_requests = 0, NULL, toFloat64(s_successes) / toFloat64(s_requests)) AS {v12:Identifier},
    if(c_ttft[-1] = 0, NULL, bin_middle_ms(toInt64(bitShiftRight(b_ttft[arrayFirstIndex(upto -> upto > k_ttft_4, c_ttft)], 51)) - 2)) AS {v13:Identifier},
    if(if(is_all_windows = 1, {v2:Float64}, {v3:Array(Float64)}[w + 1]) = 0, NULL, toFloat64(s_requests) / if(is_all_windows = 1, {v2:Float64}, {v3:Array(Float64)}[w + 1]) * {v7:Float64}) AS {v14:Identifier}
FROM
(
    SELECT 0 AS is_all_windows, intDiv(toUnixTimestamp(r.window_start) - {v0:Int64}, {v1:Int64}) AS w, r.model AS g0, sum(r.requests) AS s_requests,
        sum(r.successes) AS s_successes,
        arraySort(groupArrayArrayIf(arrayMap((bin, seen) -> bitShiftLeft(toUInt64(bin + 2), 51) + least(seen, 2251799813685247), r.ttft_bins.keys, r.ttft_bins.values), intDiv(r.status_code, 100) = 2)) AS b_ttft,
        arrayCumSum(pair -> bitAnd(pair, 2251799813685247), b_ttft) AS c_ttft,
        toUInt64(least(toInt64(c_ttft[-1]) - 1, toInt64({v6:Float64} * c_ttft[-1]))) AS k_ttft_4
    FROM service_1h_rows AS r
    WHERE r.workspace_id = {v15:String}
      AND r.window_start >= toDateTime({v16:Int64}, 'UTC')
      AND r.window_start < toDateTime({v17:Int64}, 'UTC')
      AND r.region IN {v18:Array(String)}
    GROUP BY w, g0
)
ORDER BY w, g0
