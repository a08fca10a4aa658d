SELECT
    toDateTime64(toStartOfSecond(r.ts_end), 0, 'UTC') AS at,
    toString(r.model) AS model,
    countIf(r.is_final) AS requests,
    countIf(r.is_final AND r.status_class != '2xx') AS failures,
    sum(r.output_tokens) AS output_tokens,
    sum(r.price_cost) AS cost_usd
FROM requests AS r
WHERE r.ts_end >= fromUnixTimestamp64Micro({v0:Int64}, 'UTC') AND r.ts_end < fromUnixTimestamp64Micro({v1:Int64}, 'UTC') AND r.workspace_id = {v2:String}
GROUP BY at, model
ORDER BY at, model
