-- What providers bill, beside what prices said: bills arrive late, so both stay series of their own.

-- One row a day, provider and model of an imported file. An import is one insert and one part, so a
-- reader has all of it or nothing; the view below reads the last import of each source alone, so
-- that a line which a corrected file no longer has is gone too.
-- ReplacingMergeTree, so that imports of one file leave one copy of what they agree about. No
-- partitions and no retention: a bill is a few rows a day, and explains money years later.
CREATE TABLE IF NOT EXISTS bills_rows
(
    source String COMMENT 'the file or invoice; what replaces it has the same',
    day Date COMMENT 'UTC',
    provider LowCardinality(String) COMMENT 'as events name it',
    model String COMMENT 'empty where the bill does not name it',
    amount_usd Decimal(38, 12) COMMENT 'below zero: a credit',
    imported_at DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(imported_at)
ORDER BY (source, day, provider, model)
SETTINGS
    non_replicated_deduplication_window = 30000, replicated_deduplication_window = 30000,
    replicated_deduplication_window_seconds = 604800;

CREATE OR REPLACE VIEW bills AS
SELECT day, provider, model, amount_usd, source, imported_at
FROM bills_rows FINAL
WHERE (source, imported_at) IN
(
    SELECT source, max(imported_at)
    FROM bills_rows
    GROUP BY source
);

-- One row a day and provider that was used or billed. What is not known is NULL and never nought: a
-- day without a bill has no billed_usd, and a day that the roll-ups hold nothing of, because it is
-- older than they are kept or than the pipeline is, no priced_usd.
CREATE OR REPLACE VIEW reconciliation AS
SELECT
    day,
    provider,
    if(day_attempts > 0, priced, NULL) AS priced_usd,
    if(bill_lines > 0, billed, NULL) AS billed_usd,
    billed_usd - priced_usd AS difference_usd,
    toFloat64(difference_usd) / nullIf(toFloat64(billed_usd), 0) AS difference_ratio,
    provider_attempts AS attempts,
    unpriced AS unpriced_requests,
    partially_priced AS partially_priced_requests
FROM
(
    SELECT
        day,
        provider,
        sum(each.priced) AS priced,
        sum(each.billed) AS billed,
        sum(each.bill_lines) AS bill_lines,
        sum(each.attempts) AS provider_attempts,
        sum(each.unpriced) AS unpriced,
        sum(each.partially_priced) AS partially_priced,
        sum(provider_attempts) OVER (PARTITION BY day) AS day_attempts
    FROM
    (
        SELECT
            toDate(window_start, 'UTC') AS day,
            toString(r.provider) AS provider,
            r.cost_usd AS priced,
            toDecimal128(0, 12) AS billed,
            0 AS bill_lines,
            r.attempts AS attempts,
            r.unpriced_requests AS unpriced,
            r.partially_priced_requests AS partially_priced
        FROM service_1h_rows AS r
        UNION ALL
        SELECT
            b.day AS day,
            toString(b.provider) AS provider,
            toDecimal128(0, 12) AS priced,
            b.amount_usd AS billed,
            1 AS bill_lines,
            0 AS attempts,
            0 AS unpriced,
            0 AS partially_priced
        FROM bills AS b
    ) AS each
    GROUP BY day, provider
);
