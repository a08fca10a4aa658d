-- What alerts did: every transition of an incident, every notice and every attempt to deliver it.

-- One row a thing that happened. Written by a reader of the alert topics that may read a message
-- twice; the same message makes the same row under the same id, which merges, and the view below,
-- keep once. Ordered as people ask: an objective, then a time.
CREATE TABLE IF NOT EXISTS alerts_rows
(
    workspace_id LowCardinality(String),
    service LowCardinality(String),
    slo LowCardinality(String) COMMENT 'name of the objective, budget or rule',
    at DateTime64(6, 'UTC') COMMENT 'the tick, in event time' CODEC(Delta, ZSTD(1)),
    transition_id String,
    incident_id String COMMENT 'empty while a rule is pending and no incident is open',
    fingerprint String COMMENT 'of the identity: workspace, objective, kind of rule, group',
    family LowCardinality(String) COMMENT 'slo, cost or system',
    kind LowCardinality(String) COMMENT 'what happened; rule_... is about one rule of the incident',
    rule LowCardinality(String) COMMENT 'the rule that it is about; empty for the whole incident',
    reason LowCardinality(String),
    severity LowCardinality(String) COMMENT 'ticket or page',
    episode UInt32 COMMENT 'rises when an incident opens again soon after it was resolved',
    starts_at Nullable(DateTime64(6, 'UTC')),
    labels Map(LowCardinality(String), String) COMMENT 'the identity, the values of its group, and what the definition adds',
    conditions Array(Tuple(
        rule String, severity String, is_true Bool, threshold Float64,
        long_s UInt32, long_burn Float64, long_bad UInt64, long_total UInt64,
        short_s UInt32, short_burn Float64, short_bad UInt64, short_total UInt64,
        p_value Nullable(Float64), value Nullable(Float64), unit String))
        COMMENT 'the numbers that decided; windows of 0 s where a rule has none',
    suppressed_by Array(String) COMMENT 'silences, maintenance windows and incidents that mute it',
    is_flapping Bool
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (workspace_id, service, slo, at, transition_id)
TTL toDateTime(at) + INTERVAL 1095 DAY
SETTINGS
    non_replicated_deduplication_window = 30000, replicated_deduplication_window = 30000,
    replicated_deduplication_window_seconds = 604800,
    default_compression_codec = 'ZSTD(1)',
    ttl_only_drop_parts = 1;

-- One row an attempt to deliver a notice; attempt 0 is a decision not to send it. Ordered by the
-- incident, since that is how it is explained.
CREATE TABLE IF NOT EXISTS notifications_rows
(
    incident_id String,
    notification_id String COMMENT 'the webhook-id: the same on every attempt',
    attempt UInt32,
    at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    receiver LowCardinality(String),
    format LowCardinality(String),
    transition LowCardinality(String) COMMENT 'firing, escalated, repeated, silence_ended, resolved, test',
    severity LowCardinality(String),
    outcome LowCardinality(String) COMMENT 'delivered, retry, dead or dropped',
    http_status Nullable(UInt16),
    duration_ms UInt32,
    error String,
    next_at Nullable(DateTime64(6, 'UTC')) COMMENT 'when it is tried again'
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (incident_id, notification_id, attempt, at)
TTL toDateTime(at) + INTERVAL 1095 DAY
SETTINGS
    non_replicated_deduplication_window = 30000, replicated_deduplication_window = 30000,
    replicated_deduplication_window_seconds = 604800,
    default_compression_codec = 'ZSTD(1)',
    ttl_only_drop_parts = 1;

CREATE OR REPLACE VIEW alerts AS SELECT * FROM alerts_rows FINAL;

CREATE OR REPLACE VIEW notifications AS SELECT * FROM notifications_rows FINAL;

-- One row an incident, open or resolved.
CREATE OR REPLACE VIEW incidents AS
SELECT
    happened.incident_id AS incident_id,
    happened.workspace_id AS workspace_id,
    happened.service AS service,
    happened.slo AS slo,
    happened.family AS family,
    happened.labels AS labels,
    happened.worst_severity AS severity,
    happened.started AS starts_at,
    happened.detected AS detected_at,
    happened.resolved AS resolved_at,
    happened.resolve_reason AS resolve_reason,
    happened.episodes AS episodes,
    happened.fired_rules AS rules,
    happened.peak_burn AS peak_burn,
    happened.was_suppressed AS was_suppressed,
    told.told_notices AS notices_delivered,
    told.told_pages AS pages_delivered,
    told.first_told AS first_delivered_at,
    told.lost_notices AS notices_dead
FROM
(
    SELECT
        incident_id,
        any(workspace_id) AS workspace_id,
        any(service) AS service,
        any(slo) AS slo,
        any(family) AS family,
        anyLast(labels) AS labels,
        if(countIf(severity = 'page' AND kind != 'pending') > 0, 'page', 'ticket') AS worst_severity,
        minOrNull(starts_at) AS started,
        minIf(at, kind IN ('firing', 'reopened')) AS detected,
        max(episode) AS episodes,
        argMax(kind, (at, kind = 'resolved')) AS last_kind,
        if(
            maxIf(at, kind = 'resolved') >= maxIf(at, kind IN ('firing', 'reopened'))
                AND countIf(kind = 'resolved') > 0,
            maxIf(at, kind = 'resolved'), NULL) AS resolved,
        argMaxIf(reason, at, kind = 'resolved') AS resolve_reason,
        groupUniqArrayIf(rule, kind = 'rule_fired') AS fired_rules,
        max(arrayMax(arrayMap(c -> c.long_burn, conditions))) AS peak_burn,
        countIf(kind = 'suppressed') > 0 AS was_suppressed
    FROM alerts
    WHERE incident_id != ''
    GROUP BY incident_id
) AS happened
LEFT JOIN
(
    SELECT
        incident_id,
        uniqExactIf(notification_id, outcome = 'delivered') AS told_notices,
        uniqExactIf(notification_id, outcome = 'delivered' AND severity = 'page'
            AND transition IN ('firing', 'escalated', 'silence_ended')) AS told_pages,
        if(countIf(outcome = 'delivered') > 0, minIf(at, outcome = 'delivered'), NULL) AS first_told,
        uniqExactIf(notification_id, outcome = 'dead') AS lost_notices
    FROM notifications
    GROUP BY incident_id
) AS told ON happened.incident_id = told.incident_id;
