-- What is final, and what has no price.

-- One row a partition of each topic's current incarnation. A window is final once its end is at or
-- before overall_watermark, the smallest of the topic's partitions; a partition that never saw a
-- record has no row and holds nothing back. An incarnation is a topic made anew, or a run of the
-- embedded broker; the latest to report counts.
CREATE OR REPLACE VIEW freshness AS
SELECT
    kafka_topic,
    kafka_partition,
    stream_id,
    watermark,
    updated_at,
    min(watermark) OVER (PARTITION BY kafka_topic) AS overall_watermark,
    toStartOfInterval(overall_watermark, INTERVAL 10 SECOND, 'UTC') AS final_before_10s,
    toStartOfMinute(overall_watermark, 'UTC') AS final_before_1m,
    toStartOfHour(overall_watermark, 'UTC') AS final_before_1h
FROM
(
    SELECT
        kafka_topic,
        kafka_partition,
        stream_id,
        max(w.watermark) AS watermark,
        max(w.updated_at) AS updated_at
    FROM watermarks AS w
    GROUP BY kafka_topic, kafka_partition, stream_id
)
WHERE (kafka_topic, stream_id) IN
(
    SELECT kafka_topic, argMax(stream_id, (updated_at, stream_id))
    FROM watermarks
    GROUP BY kafka_topic
);

-- Models with usage that the price book could not price, or not in full, over all kept hours.
CREATE OR REPLACE VIEW unpriced_models AS
SELECT
    provider,
    model,
    sum(r.attempts) AS attempts,
    sum(r.unpriced_requests) AS unpriced_requests,
    sum(r.partially_priced_requests) AS partially_priced_requests,
    sum(r.input_tokens) AS input_tokens,
    sum(r.output_tokens) AS output_tokens,
    min(r.window_start) AS first_window,
    max(r.window_start) AS last_window
FROM service_1h_rows AS r
GROUP BY provider, model
HAVING unpriced_requests + partially_priced_requests > 0;
