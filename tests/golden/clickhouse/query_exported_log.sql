SELECT
    r.request_id AS request_id,
    if(match(r.event_id, '^[-=+@\\t\\r]'), concat('\'', r.event_id), r.event_id) AS event_id,
    r.ts_end AS ts_end,
    r.model AS model,
    toUInt64(r.input_tokens) + r.output_tokens AS total_tokens,
    r.input_tokens AS input_tokens,
    r.output_tokens AS output_tokens,
    r.ttft_ms AS ttft_ms,
    r.e2e_ms AS e2e_ms,
    r.status_code AS status_code,
    r.status_class AS status_class,
    r.error_type AS error_type,
    if(match(r.user_id, '^[-=+@\\t\\r]'), concat('\'', r.user_id), r.user_id) AS user_id,
    r.workspace_id AS workspace_id,
    r.price_cost AS cost_usd,
    r.attempt_no AS attempt_no,
    r.is_final AS is_final,
    toJSONString(r.metadata) AS metadata
FROM requests AS r
WHERE r.workspace_id = {v0:String}
  AND r.ts_end >= fromUnixTimestamp64Micro({v1:Int64}, 'UTC')
  AND r.ts_end < fromUnixTimestamp64Micro({v2:Int64}, 'UTC')
  AND NOT (r.status_class IN {v3:Array(String)})
  AND r.request_id = {v4:String}
  AND r.is_final
  AND r.ts_end <= fromUnixTimestamp64Micro({v6:Int64}, 'UTC')
  AND (r.ts_end < fromUnixTimestamp64Micro({v7:Int64}, 'UTC') OR r.event_id < {v5:String})
ORDER BY toStartOfTenMinutes(r.ts_end) DESC, r.ts_end DESC, r.event_id DESC
LIMIT {v8:Int64}
