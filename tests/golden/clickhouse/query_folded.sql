SELECT
    toString(kafka_topic) AS kafka_topic, toString(stream_id) AS stream_id, month, dimension,
    distinct_values, fullest_partition_values, folded_events
FROM dimension_use
WHERE month >= addMonths((SELECT max(month) FROM dimension_values), -1)
ORDER BY month DESC, folded_events DESC, dimension, kafka_topic, stream_id
