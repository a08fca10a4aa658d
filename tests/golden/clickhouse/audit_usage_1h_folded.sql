SELECT toUnixTimestamp(window_start) AS start_s, count(), countIf(expected_attempts != found_attempts OR expected_requests != found_requests OR expected_successes != found_successes OR expected_errors_4xx != found_errors_4xx OR expected_rate_limited != found_rate_limited OR expected_client_aborted != found_client_aborted OR expected_errors_5xx != found_errors_5xx OR expected_errors_other != found_errors_other OR expected_input_tokens != found_input_tokens OR expected_output_tokens != found_output_tokens OR expected_uncached_input_tokens != found_uncached_input_tokens OR expected_cache_read_tokens != found_cache_read_tokens OR expected_cache_write_5m_tokens != found_cache_write_5m_tokens OR expected_cache_write_1h_tokens != found_cache_write_1h_tokens OR expected_audio_input_tokens != found_audio_input_tokens OR expected_image_input_tokens != found_image_input_tokens OR expected_video_input_tokens != found_video_input_tokens OR expected_text_output_tokens != found_text_output_tokens OR expected_reasoning_tokens != found_reasoning_tokens OR expected_audio_output_tokens != found_audio_output_tokens OR expected_image_output_tokens != found_image_output_tokens OR expected_images != found_images OR expected_characters != found_characters OR expected_audio_out_us != found_audio_out_us OR expected_audio_in_us != found_audio_in_us OR expected_video_us != found_video_us OR expected_gpu_us != found_gpu_us OR expected_egress_bytes != found_egress_bytes OR expected_cold_starts != found_cold_starts OR expected_cache_hits != found_cache_hits OR expected_deadlines_missed != found_deadlines_missed OR expected_cost_usd != found_cost_usd OR expected_unpriced_requests != found_unpriced_requests OR expected_partially_priced_requests != found_partially_priced_requests OR expected_queue_us_sum != found_queue_us_sum OR expected_queue_count != found_queue_count OR expected_ttft_us_sum != found_ttft_us_sum OR expected_ttft_count != found_ttft_count OR expected_ttfa_us_sum != found_ttfa_us_sum OR expected_ttfa_count != found_ttfa_count OR expected_prefill_us_sum != found_prefill_us_sum OR expected_prefill_count != found_prefill_count OR expected_decode_us_sum != found_decode_us_sum OR expected_decode_count != found_decode_count OR expected_e2e_us_sum != found_e2e_us_sum OR expected_e2e_count != found_e2e_count OR expected_tpot_us_sum != found_tpot_us_sum OR expected_tpot_count != found_tpot_count OR expected_itl_us_sum != found_itl_us_sum OR expected_itl_count != found_itl_count OR expected_ttft_bins != found_ttft_bins OR expected_e2e_bins != found_e2e_bins OR expected_itl_bins != found_itl_bins OR expected_tpot_bins != found_tpot_bins OR expected_queue_bins != found_queue_bins)
FROM
(
SELECT
    window_start, workspace_id, model, virtual_model, team_id, user_id, virtual_account_id, status_class,
    anyIf(sides.attempts, sides.is_log) AS expected_attempts, anyIf(sides.attempts, NOT sides.is_log) AS found_attempts,
    anyIf(sides.requests, sides.is_log) AS expected_requests, anyIf(sides.requests, NOT sides.is_log) AS found_requests,
    anyIf(sides.successes, sides.is_log) AS expected_successes, anyIf(sides.successes, NOT sides.is_log) AS found_successes,
    anyIf(sides.errors_4xx, sides.is_log) AS expected_errors_4xx, anyIf(sides.errors_4xx, NOT sides.is_log) AS found_errors_4xx,
    anyIf(sides.rate_limited, sides.is_log) AS expected_rate_limited, anyIf(sides.rate_limited, NOT sides.is_log) AS found_rate_limited,
    anyIf(sides.client_aborted, sides.is_log) AS expected_client_aborted, anyIf(sides.client_aborted, NOT sides.is_log) AS found_client_aborted,
    anyIf(sides.errors_5xx, sides.is_log) AS expected_errors_5xx, anyIf(sides.errors_5xx, NOT sides.is_log) AS found_errors_5xx,
    anyIf(sides.errors_other, sides.is_log) AS expected_errors_other, anyIf(sides.errors_other, NOT sides.is_log) AS found_errors_other,
    anyIf(sides.input_tokens, sides.is_log) AS expected_input_tokens, anyIf(sides.input_tokens, NOT sides.is_log) AS found_input_tokens,
    anyIf(sides.output_tokens, sides.is_log) AS expected_output_tokens, anyIf(sides.output_tokens, NOT sides.is_log) AS found_output_tokens,
    anyIf(sides.uncached_input_tokens, sides.is_log) AS expected_uncached_input_tokens, anyIf(sides.uncached_input_tokens, NOT sides.is_log) AS found_uncached_input_tokens,
    anyIf(sides.cache_read_tokens, sides.is_log) AS expected_cache_read_tokens, anyIf(sides.cache_read_tokens, NOT sides.is_log) AS found_cache_read_tokens,
    anyIf(sides.cache_write_5m_tokens, sides.is_log) AS expected_cache_write_5m_tokens, anyIf(sides.cache_write_5m_tokens, NOT sides.is_log) AS found_cache_write_5m_tokens,
    anyIf(sides.cache_write_1h_tokens, sides.is_log) AS expected_cache_write_1h_tokens, anyIf(sides.cache_write_1h_tokens, NOT sides.is_log) AS found_cache_write_1h_tokens,
    anyIf(sides.audio_input_tokens, sides.is_log) AS expected_audio_input_tokens, anyIf(sides.audio_input_tokens, NOT sides.is_log) AS found_audio_input_tokens,
    anyIf(sides.image_input_tokens, sides.is_log) AS expected_image_input_tokens, anyIf(sides.image_input_tokens, NOT sides.is_log) AS found_image_input_tokens,
    anyIf(sides.video_input_tokens, sides.is_log) AS expected_video_input_tokens, anyIf(sides.video_input_tokens, NOT sides.is_log) AS found_video_input_tokens,
    anyIf(sides.text_output_tokens, sides.is_log) AS expected_text_output_tokens, anyIf(sides.text_output_tokens, NOT sides.is_log) AS found_text_output_tokens,
    anyIf(sides.reasoning_tokens, sides.is_log) AS expected_reasoning_tokens, anyIf(sides.reasoning_tokens, NOT sides.is_log) AS found_reasoning_tokens,
    anyIf(sides.audio_output_tokens, sides.is_log) AS expected_audio_output_tokens, anyIf(sides.audio_output_tokens, NOT sides.is_log) AS found_audio_output_tokens,
    anyIf(sides.image_output_tokens, sides.is_log) AS expected_image_output_tokens, anyIf(sides.image_output_tokens, NOT sides.is_log) AS found_image_output_tokens,
    anyIf(sides.images, sides.is_log) AS expected_images, anyIf(sides.images, NOT sides.is_log) AS found_images,
    anyIf(sides.characters, sides.is_log) AS expected_characters, anyIf(sides.characters, NOT sides.is_log) AS found_characters,
    anyIf(sides.audio_out_us, sides.is_log) AS expected_audio_out_us, anyIf(sides.audio_out_us, NOT sides.is_log) AS found_audio_out_us,
    anyIf(sides.audio_in_us, sides.is_log) AS expected_audio_in_us, anyIf(sides.audio_in_us, NOT sides.is_log) AS found_audio_in_us,
    anyIf(sides.video_us, sides.is_log) AS expected_video_us, anyIf(sides.video_us, NOT sides.is_log) AS found_video_us,
    anyIf(sides.gpu_us, sides.is_log) AS expected_gpu_us, anyIf(sides.gpu_us, NOT sides.is_log) AS found_gpu_us,
    anyIf(sides.egress_bytes, sides.is_log) AS expected_egress_bytes, anyIf(sides.egress_bytes, NOT sides.is_log) AS found_egress_bytes,
    anyIf(sides.cold_starts, sides.is_log) AS expected_cold_starts, anyIf(sides.cold_starts, NOT sides.is_log) AS found_cold_starts,
    anyIf(sides.cache_hits, sides.is_log) AS expected_cache_hits, anyIf(sides.cache_hits, NOT sides.is_log) AS found_cache_hits,
    anyIf(sides.deadlines_missed, sides.is_log) AS expected_deadlines_missed, anyIf(sides.deadlines_missed, NOT sides.is_log) AS found_deadlines_missed,
    anyIf(sides.cost_usd, sides.is_log) AS expected_cost_usd, anyIf(sides.cost_usd, NOT sides.is_log) AS found_cost_usd,
    anyIf(sides.unpriced_requests, sides.is_log) AS expected_unpriced_requests, anyIf(sides.unpriced_requests, NOT sides.is_log) AS found_unpriced_requests,
    anyIf(sides.partially_priced_requests, sides.is_log) AS expected_partially_priced_requests, anyIf(sides.partially_priced_requests, NOT sides.is_log) AS found_partially_priced_requests,
    anyIf(sides.queue_us_sum, sides.is_log) AS expected_queue_us_sum, anyIf(sides.queue_us_sum, NOT sides.is_log) AS found_queue_us_sum,
    anyIf(sides.queue_count, sides.is_log) AS expected_queue_count, anyIf(sides.queue_count, NOT sides.is_log) AS found_queue_count,
    anyIf(sides.ttft_us_sum, sides.is_log) AS expected_ttft_us_sum, anyIf(sides.ttft_us_sum, NOT sides.is_log) AS found_ttft_us_sum,
    anyIf(sides.ttft_count, sides.is_log) AS expected_ttft_count, anyIf(sides.ttft_count, NOT sides.is_log) AS found_ttft_count,
    anyIf(sides.ttfa_us_sum, sides.is_log) AS expected_ttfa_us_sum, anyIf(sides.ttfa_us_sum, NOT sides.is_log) AS found_ttfa_us_sum,
    anyIf(sides.ttfa_count, sides.is_log) AS expected_ttfa_count, anyIf(sides.ttfa_count, NOT sides.is_log) AS found_ttfa_count,
    anyIf(sides.prefill_us_sum, sides.is_log) AS expected_prefill_us_sum, anyIf(sides.prefill_us_sum, NOT sides.is_log) AS found_prefill_us_sum,
    anyIf(sides.prefill_count, sides.is_log) AS expected_prefill_count, anyIf(sides.prefill_count, NOT sides.is_log) AS found_prefill_count,
    anyIf(sides.decode_us_sum, sides.is_log) AS expected_decode_us_sum, anyIf(sides.decode_us_sum, NOT sides.is_log) AS found_decode_us_sum,
    anyIf(sides.decode_count, sides.is_log) AS expected_decode_count, anyIf(sides.decode_count, NOT sides.is_log) AS found_decode_count,
    anyIf(sides.e2e_us_sum, sides.is_log) AS expected_e2e_us_sum, anyIf(sides.e2e_us_sum, NOT sides.is_log) AS found_e2e_us_sum,
    anyIf(sides.e2e_count, sides.is_log) AS expected_e2e_count, anyIf(sides.e2e_count, NOT sides.is_log) AS found_e2e_count,
    anyIf(sides.tpot_us_sum, sides.is_log) AS expected_tpot_us_sum, anyIf(sides.tpot_us_sum, NOT sides.is_log) AS found_tpot_us_sum,
    anyIf(sides.tpot_count, sides.is_log) AS expected_tpot_count, anyIf(sides.tpot_count, NOT sides.is_log) AS found_tpot_count,
    anyIf(sides.itl_us_sum, sides.is_log) AS expected_itl_us_sum, anyIf(sides.itl_us_sum, NOT sides.is_log) AS found_itl_us_sum,
    anyIf(sides.itl_count, sides.is_log) AS expected_itl_count, anyIf(sides.itl_count, NOT sides.is_log) AS found_itl_count,
    anyIf(sides.ttft_bins, sides.is_log) AS expected_ttft_bins, anyIf(sides.ttft_bins, NOT sides.is_log) AS found_ttft_bins,
    anyIf(sides.e2e_bins, sides.is_log) AS expected_e2e_bins, anyIf(sides.e2e_bins, NOT sides.is_log) AS found_e2e_bins,
    anyIf(sides.itl_bins, sides.is_log) AS expected_itl_bins, anyIf(sides.itl_bins, NOT sides.is_log) AS found_itl_bins,
    anyIf(sides.tpot_bins, sides.is_log) AS expected_tpot_bins, anyIf(sides.tpot_bins, NOT sides.is_log) AS found_tpot_bins,
    anyIf(sides.queue_bins, sides.is_log) AS expected_queue_bins, anyIf(sides.queue_bins, NOT sides.is_log) AS found_queue_bins
FROM
(
    SELECT
        true AS is_log,
        toDateTime(toStartOfInterval(log.ts_end, INTERVAL 3600 SECOND, 'UTC'), 'UTC') AS window_start,
        log.workspace_id AS workspace_id, log.model AS model, log.virtual_model AS virtual_model, if(toString(log.team_ids[1]) IN ('', '__other__') OR log.kafka_offset < team_id_list.until, toString(log.team_ids[1]), '__other__') AS team_id, if(toString(log.user_id) IN ('', '__other__') OR log.kafka_offset < user_id_list.until, toString(log.user_id), '__other__') AS user_id, log.virtual_account_id AS virtual_account_id, status_class_of(log.status_code) AS status_class,
        count() AS attempts,
        countIf(log.is_final) AS requests,
        countIf(log.is_final AND status_class_of(log.status_code) = '2xx') AS successes,
        countIf(log.is_final AND status_class_of(log.status_code) = '4xx') AS errors_4xx,
        countIf(log.is_final AND status_class_of(log.status_code) = '429') AS rate_limited,
        countIf(log.is_final AND status_class_of(log.status_code) = '499') AS client_aborted,
        countIf(log.is_final AND status_class_of(log.status_code) = '5xx') AS errors_5xx,
        countIf(log.is_final AND status_class_of(log.status_code) = 'other') AS errors_other,
        toUInt64(sum(log.input_tokens)) AS input_tokens,
        toUInt64(sum(log.output_tokens)) AS output_tokens,
        toUInt64(sum(log.uncached_input_tokens)) AS uncached_input_tokens,
        toUInt64(sum(log.cache_read_tokens)) AS cache_read_tokens,
        toUInt64(sum(log.cache_write_5m_tokens)) AS cache_write_5m_tokens,
        toUInt64(sum(log.cache_write_1h_tokens)) AS cache_write_1h_tokens,
        toUInt64(sum(log.audio_input_tokens)) AS audio_input_tokens,
        toUInt64(sum(log.image_input_tokens)) AS image_input_tokens,
        toUInt64(sum(log.video_input_tokens)) AS video_input_tokens,
        toUInt64(sum(log.text_output_tokens)) AS text_output_tokens,
        toUInt64(sum(log.reasoning_tokens)) AS reasoning_tokens,
        toUInt64(sum(log.audio_output_tokens)) AS audio_output_tokens,
        toUInt64(sum(log.image_output_tokens)) AS image_output_tokens,
        toUInt64(sum(log.images)) AS images,
        toUInt64(sum(log.characters)) AS characters,
        toUInt64(sum(log.audio_out_seconds) * 1000000) AS audio_out_us,
        toUInt64(sum(log.audio_in_seconds) * 1000000) AS audio_in_us,
        toUInt64(sum(log.video_seconds) * 1000000) AS video_us,
        toUInt64(sum(log.gpu_seconds) * 1000000) AS gpu_us,
        toUInt64(sum(log.egress_bytes)) AS egress_bytes,
        countIf(log.cold_start) AS cold_starts,
        countIf(log.cache_hit) AS cache_hits,
        countIf(log.deadline_missed) AS deadlines_missed,
        sum(log.price_cost) AS cost_usd,
        countIf(log.cost_status = 'unpriced') AS unpriced_requests,
        countIf(log.cost_status = 'partial') AS partially_priced_requests,
        toUInt64(ifNull(sumIf(log.queue_ms, log.is_final), 0) * 1000) AS queue_us_sum,
        countIf(log.is_final AND log.queue_ms IS NOT NULL) AS queue_count,
        toUInt64(ifNull(sumIf(log.ttft_ms, log.is_final), 0) * 1000) AS ttft_us_sum,
        countIf(log.is_final AND log.ttft_ms IS NOT NULL) AS ttft_count,
        toUInt64(ifNull(sumIf(log.ttfa_ms, log.is_final), 0) * 1000) AS ttfa_us_sum,
        countIf(log.is_final AND log.ttfa_ms IS NOT NULL) AS ttfa_count,
        toUInt64(ifNull(sumIf(log.prefill_ms, log.is_final), 0) * 1000) AS prefill_us_sum,
        countIf(log.is_final AND log.prefill_ms IS NOT NULL) AS prefill_count,
        toUInt64(ifNull(sumIf(log.decode_ms, log.is_final), 0) * 1000) AS decode_us_sum,
        countIf(log.is_final AND log.decode_ms IS NOT NULL) AS decode_count,
        toUInt64(ifNull(sumIf(log.e2e_ms, log.is_final), 0) * 1000) AS e2e_us_sum,
        countIf(log.is_final AND log.e2e_ms IS NOT NULL) AS e2e_count,
        toUInt64(ifNull(sumIf(log.tpot_ms, log.is_final), 0) * 1000) AS tpot_us_sum,
        countIf(log.is_final AND log.tpot_ms IS NOT NULL) AS tpot_count,
        toUInt64(ifNull(sumIf(log.itl_sum_ms, log.is_final), 0) * 1000) AS itl_us_sum,
        toUInt64(sumIf(log.itl_count, log.is_final AND log.itl_sum_ms IS NOT NULL)) AS itl_count,
        sumMapIf(map(toInt16(if(toInt64(ifNull(log.ttft_ms, 0) * 1000) <= 0, -1, ceil(log(toInt64(ifNull(log.ttft_ms, 0) * 1000)) / 0.010000083334583179))), toUInt64(1)), log.is_final AND log.ttft_ms IS NOT NULL) AS ttft_bins,
        sumMapIf(map(toInt16(if(toInt64(ifNull(log.e2e_ms, 0) * 1000) <= 0, -1, ceil(log(toInt64(ifNull(log.e2e_ms, 0) * 1000)) / 0.010000083334583179))), toUInt64(1)), log.is_final AND log.e2e_ms IS NOT NULL) AS e2e_bins,
        sumMapIf(log.itl_bins, log.is_final) AS itl_bins,
        sumMapIf(map(toInt16(if(toInt64(ifNull(log.tpot_ms, 0) * 1000) <= 0, -1, ceil(log(toInt64(ifNull(log.tpot_ms, 0) * 1000)) / 0.010000083334583179))), toUInt64(1)), log.is_final AND log.tpot_ms IS NOT NULL) AS tpot_bins,
        sumMapIf(map(toInt16(if(toInt64(ifNull(log.queue_ms, 0) * 1000) <= 0, -1, ceil(log(toInt64(ifNull(log.queue_ms, 0) * 1000)) / 0.010000083334583179))), toUInt64(1)), log.is_final AND log.queue_ms IS NOT NULL) AS queue_bins
    FROM requests AS log
    ASOF LEFT JOIN
    (
        SELECT kafka_topic, kafka_partition, stream_id, value, admitted.kafka_offset AS kafka_offset, months.until AS until
        FROM dimension_values AS admitted
        INNER JOIN
        (
            SELECT
                kafka_topic, kafka_partition, stream_id, month,
                leadInFrame(min(first.kafka_offset), 1, toUInt64(18446744073709551615)) OVER (PARTITION BY kafka_topic, kafka_partition, stream_id ORDER BY month ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS until
            FROM dimension_values AS first
            WHERE dimension = 'team_id'
            GROUP BY kafka_topic, kafka_partition, stream_id, month
        ) AS months USING (kafka_topic, kafka_partition, stream_id, month)
        WHERE admitted.dimension = 'team_id'
    ) AS team_id_list
    ON team_id_list.kafka_topic = log.kafka_topic AND team_id_list.kafka_partition = log.kafka_partition AND team_id_list.stream_id = log.stream_id
        AND team_id_list.value = log.team_ids[1] AND log.kafka_offset >= team_id_list.kafka_offset
    ASOF LEFT JOIN
    (
        SELECT kafka_topic, kafka_partition, stream_id, value, admitted.kafka_offset AS kafka_offset, months.until AS until
        FROM dimension_values AS admitted
        INNER JOIN
        (
            SELECT
                kafka_topic, kafka_partition, stream_id, month,
                leadInFrame(min(first.kafka_offset), 1, toUInt64(18446744073709551615)) OVER (PARTITION BY kafka_topic, kafka_partition, stream_id ORDER BY month ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS until
            FROM dimension_values AS first
            WHERE dimension = 'user_id'
            GROUP BY kafka_topic, kafka_partition, stream_id, month
        ) AS months USING (kafka_topic, kafka_partition, stream_id, month)
        WHERE admitted.dimension = 'user_id'
    ) AS user_id_list
    ON user_id_list.kafka_topic = log.kafka_topic AND user_id_list.kafka_partition = log.kafka_partition AND user_id_list.stream_id = log.stream_id
        AND user_id_list.value = log.user_id AND log.kafka_offset >= user_id_list.kafka_offset
    WHERE log.ts_end >= fromUnixTimestamp64Micro({from_us:Int64}, 'UTC') AND log.ts_end < fromUnixTimestamp64Micro({to_us:Int64}, 'UTC')
    GROUP BY window_start, workspace_id, model, virtual_model, team_id, user_id, virtual_account_id, status_class
    UNION ALL
    SELECT
        false AS is_log,
        stored.window_start AS window_start,
        stored.workspace_id AS workspace_id, stored.model AS model, stored.virtual_model AS virtual_model, stored.team_id AS team_id, stored.user_id AS user_id, stored.virtual_account_id AS virtual_account_id, stored.status_class AS status_class,
        sum(stored.attempts) AS attempts,
        sum(stored.requests) AS requests,
        sum(stored.successes) AS successes,
        sum(stored.errors_4xx) AS errors_4xx,
        sum(stored.rate_limited) AS rate_limited,
        sum(stored.client_aborted) AS client_aborted,
        sum(stored.errors_5xx) AS errors_5xx,
        sum(stored.errors_other) AS errors_other,
        sum(stored.input_tokens) AS input_tokens,
        sum(stored.output_tokens) AS output_tokens,
        sum(stored.uncached_input_tokens) AS uncached_input_tokens,
        sum(stored.cache_read_tokens) AS cache_read_tokens,
        sum(stored.cache_write_5m_tokens) AS cache_write_5m_tokens,
        sum(stored.cache_write_1h_tokens) AS cache_write_1h_tokens,
        sum(stored.audio_input_tokens) AS audio_input_tokens,
        sum(stored.image_input_tokens) AS image_input_tokens,
        sum(stored.video_input_tokens) AS video_input_tokens,
        sum(stored.text_output_tokens) AS text_output_tokens,
        sum(stored.reasoning_tokens) AS reasoning_tokens,
        sum(stored.audio_output_tokens) AS audio_output_tokens,
        sum(stored.image_output_tokens) AS image_output_tokens,
        sum(stored.images) AS images,
        sum(stored.characters) AS characters,
        sum(stored.audio_out_us) AS audio_out_us,
        sum(stored.audio_in_us) AS audio_in_us,
        sum(stored.video_us) AS video_us,
        sum(stored.gpu_us) AS gpu_us,
        sum(stored.egress_bytes) AS egress_bytes,
        sum(stored.cold_starts) AS cold_starts,
        sum(stored.cache_hits) AS cache_hits,
        sum(stored.deadlines_missed) AS deadlines_missed,
        sum(stored.cost_usd) AS cost_usd,
        sum(stored.unpriced_requests) AS unpriced_requests,
        sum(stored.partially_priced_requests) AS partially_priced_requests,
        sum(stored.queue_us_sum) AS queue_us_sum,
        sum(stored.queue_count) AS queue_count,
        sum(stored.ttft_us_sum) AS ttft_us_sum,
        sum(stored.ttft_count) AS ttft_count,
        sum(stored.ttfa_us_sum) AS ttfa_us_sum,
        sum(stored.ttfa_count) AS ttfa_count,
        sum(stored.prefill_us_sum) AS prefill_us_sum,
        sum(stored.prefill_count) AS prefill_count,
        sum(stored.decode_us_sum) AS decode_us_sum,
        sum(stored.decode_count) AS decode_count,
        sum(stored.e2e_us_sum) AS e2e_us_sum,
        sum(stored.e2e_count) AS e2e_count,
        sum(stored.tpot_us_sum) AS tpot_us_sum,
        sum(stored.tpot_count) AS tpot_count,
        sum(stored.itl_us_sum) AS itl_us_sum,
        sum(stored.itl_count) AS itl_count,
        mapFilter((bin, bin_count) -> bin_count != 0, sumMap(stored.ttft_bins)) AS ttft_bins,
        mapFilter((bin, bin_count) -> bin_count != 0, sumMap(stored.e2e_bins)) AS e2e_bins,
        mapFilter((bin, bin_count) -> bin_count != 0, sumMap(stored.itl_bins)) AS itl_bins,
        mapFilter((bin, bin_count) -> bin_count != 0, sumMap(stored.tpot_bins)) AS tpot_bins,
        mapFilter((bin, bin_count) -> bin_count != 0, sumMap(stored.queue_bins)) AS queue_bins
    FROM usage_1h_rows AS stored
    WHERE stored.window_start >= toDateTime({from_s:UInt32}, 'UTC') AND stored.window_start < toDateTime({to_s:UInt32}, 'UTC')
    GROUP BY window_start, workspace_id, model, virtual_model, team_id, user_id, virtual_account_id, status_class
) AS sides
GROUP BY window_start, workspace_id, model, virtual_model, team_id, user_id, virtual_account_id, status_class
)
GROUP BY start_s
ORDER BY start_s
