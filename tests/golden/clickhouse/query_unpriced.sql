SELECT
    toString(r.provider) AS provider,
    toString(r.model) AS model,
    sum(r.attempts) AS attempts,
    sum(r.unpriced_requests) AS unpriced_requests,
    sum(r.partially_priced_requests) AS partially_priced_requests,
    sum(r.input_tokens) AS input_tokens,
    sum(r.output_tokens) AS output_tokens,
    toDateTime64(min(r.window_start), 0, 'UTC') AS first_window,
    toDateTime64(max(r.window_start), 0, 'UTC') AS last_window
FROM service_1m_rows AS r
WHERE r.workspace_id = {v0:String} AND r.window_start >= toDateTime({v1:Int64}, 'UTC') AND r.window_start < toDateTime({v2:Int64}, 'UTC')
GROUP BY provider, model
HAVING unpriced_requests + partially_priced_requests > 0
ORDER BY unpriced_requests + partially_priced_requests DESC, provider, model
LIMIT 1000
