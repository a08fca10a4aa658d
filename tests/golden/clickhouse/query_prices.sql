SELECT
    version, source, provider, model, model_match, unit, usd_per_unit, effective_from, effective_to,
    min_input_tokens, traffic_class, daily_from_us, daily_to_us
FROM price_book FINAL
WHERE version IN
(
    SELECT price_version
    FROM chunk_ledger
    WHERE price_version != ''
    ORDER BY decided_at <= fromUnixTimestamp64Micro({v0:Int64}, 'UTC') DESC, abs(toUnixTimestamp64Micro(decided_at) - {v1:Int64})
    LIMIT 1
)
  AND effective_from <= fromUnixTimestamp64Micro({v2:Int64}, 'UTC')
  AND effective_to > fromUnixTimestamp64Micro({v3:Int64}, 'UTC')
ORDER BY provider, model, unit, min_input_tokens, traffic_class, daily_from_us
