SELECT
    day, provider, priced_usd, billed_usd, difference_usd, difference_ratio, attempts,
    unpriced_requests, partially_priced_requests
FROM reconciliation
WHERE day >= toDate({v0:String})
  AND day <= toDate({v1:String})
ORDER BY day, provider
