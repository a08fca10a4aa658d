-- Fewer bytes on disk at no more CPU; `tests/benchmarks/results/disk.md` has the figures.
--
-- New parts and merged ones are written so; a part of before keeps its codecs until it is merged or
-- its retention ends. `OPTIMIZE TABLE ... FINAL` rewrites at once what is there, if that is wanted.

-- Two buckets of tokens are the remainder of their total, which the door has seen to: they are said
-- by the total and the other buckets, and no longer stored. Written as a removal and an addition,
-- since a column with a codec does not become an alias, and so that a second run works.
ALTER TABLE requests
    DROP COLUMN IF EXISTS uncached_input_tokens,
    DROP COLUMN IF EXISTS text_output_tokens;

ALTER TABLE requests
    ADD COLUMN IF NOT EXISTS uncached_input_tokens UInt32
        ALIAS input_tokens - cache_read_tokens - cache_write_5m_tokens - cache_write_1h_tokens
            - audio_input_tokens - image_input_tokens - video_input_tokens
        AFTER output_tokens,
    ADD COLUMN IF NOT EXISTS text_output_tokens UInt32
        ALIAS output_tokens - reasoning_tokens - audio_output_tokens - image_output_tokens
        AFTER video_input_tokens;

-- Rows stand in runs of time, so that times and offsets differ by little from row to row: the width
-- of 64 differences is smaller than that of the values, and cheaper to compress.
-- Lists and maps have a stream of their lengths, and keys and values that repeat: ZSTD(1) leaves
-- 0.26 bytes a row of a length that never changes, ZSTD(3) 0.01, and is faster on such input. It is
-- slower by half and no better on identifiers, which is why it is not the default.
ALTER TABLE requests
    MODIFY COLUMN ts CODEC(Delta, T64('bit'), ZSTD(1)),
    MODIFY COLUMN ts_end CODEC(Delta, T64, ZSTD(1)),
    MODIFY COLUMN kafka_offset CODEC(Delta, T64, ZSTD(1)),
    MODIFY COLUMN team_ids CODEC(ZSTD(3)),
    MODIFY COLUMN metadata CODEC(ZSTD(3)),
    MODIFY COLUMN gpu_ids CODEC(ZSTD(3));

-- The bins of a sketch ascend and most of their counts are small: planes of the bits of differences
-- are a fifth smaller than ZSTD alone makes them, and cost less to write and to read. No percentile
-- changes. Sums fill few of their 64 bits; amounts of money have a common divisor.
ALTER TABLE service_10s_rows
    MODIFY COLUMN ttft_bins CODEC(Delta, T64('bit'), ZSTD(1)),
    MODIFY COLUMN e2e_bins CODEC(Delta, T64('bit'), ZSTD(1)),
    MODIFY COLUMN itl_bins CODEC(Delta, T64('bit'), ZSTD(1)),
    MODIFY COLUMN tpot_bins CODEC(Delta, T64('bit'), ZSTD(1)),
    MODIFY COLUMN queue_bins CODEC(Delta, T64('bit'), ZSTD(1)),
    MODIFY COLUMN cost_usd CODEC(GCD, ZSTD(1)),
    MODIFY COLUMN input_tokens CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN output_tokens CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN uncached_input_tokens CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN cache_read_tokens CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN text_output_tokens CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN gpu_us CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN queue_us_sum CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN ttft_us_sum CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN e2e_us_sum CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN tpot_us_sum CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN itl_us_sum CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN itl_count CODEC(T64('bit'), ZSTD(1));

ALTER TABLE service_1m_rows
    MODIFY COLUMN ttft_bins CODEC(Delta, T64('bit'), ZSTD(1)),
    MODIFY COLUMN e2e_bins CODEC(Delta, T64('bit'), ZSTD(1)),
    MODIFY COLUMN itl_bins CODEC(Delta, T64('bit'), ZSTD(1)),
    MODIFY COLUMN tpot_bins CODEC(Delta, T64('bit'), ZSTD(1)),
    MODIFY COLUMN queue_bins CODEC(Delta, T64('bit'), ZSTD(1)),
    MODIFY COLUMN cost_usd CODEC(GCD, ZSTD(1)),
    MODIFY COLUMN input_tokens CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN output_tokens CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN uncached_input_tokens CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN cache_read_tokens CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN text_output_tokens CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN gpu_us CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN queue_us_sum CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN ttft_us_sum CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN e2e_us_sum CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN tpot_us_sum CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN itl_us_sum CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN itl_count CODEC(T64('bit'), ZSTD(1));

ALTER TABLE service_1h_rows
    MODIFY COLUMN ttft_bins CODEC(Delta, T64('bit'), ZSTD(1)),
    MODIFY COLUMN e2e_bins CODEC(Delta, T64('bit'), ZSTD(1)),
    MODIFY COLUMN itl_bins CODEC(Delta, T64('bit'), ZSTD(1)),
    MODIFY COLUMN tpot_bins CODEC(Delta, T64('bit'), ZSTD(1)),
    MODIFY COLUMN queue_bins CODEC(Delta, T64('bit'), ZSTD(1)),
    MODIFY COLUMN cost_usd CODEC(GCD, ZSTD(1)),
    MODIFY COLUMN input_tokens CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN output_tokens CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN uncached_input_tokens CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN cache_read_tokens CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN text_output_tokens CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN gpu_us CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN queue_us_sum CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN ttft_us_sum CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN e2e_us_sum CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN tpot_us_sum CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN itl_us_sum CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN itl_count CODEC(T64('bit'), ZSTD(1));

ALTER TABLE usage_1m_rows
    MODIFY COLUMN ttft_bins CODEC(Delta, T64('bit'), ZSTD(1)),
    MODIFY COLUMN e2e_bins CODEC(Delta, T64('bit'), ZSTD(1)),
    MODIFY COLUMN itl_bins CODEC(Delta, T64('bit'), ZSTD(1)),
    MODIFY COLUMN tpot_bins CODEC(Delta, T64('bit'), ZSTD(1)),
    MODIFY COLUMN queue_bins CODEC(Delta, T64('bit'), ZSTD(1)),
    MODIFY COLUMN input_tokens CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN output_tokens CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN uncached_input_tokens CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN cache_read_tokens CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN text_output_tokens CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN gpu_us CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN queue_us_sum CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN ttft_us_sum CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN e2e_us_sum CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN tpot_us_sum CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN itl_us_sum CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN itl_count CODEC(T64('bit'), ZSTD(1));

ALTER TABLE usage_1h_rows
    MODIFY COLUMN ttft_bins CODEC(Delta, T64('bit'), ZSTD(1)),
    MODIFY COLUMN e2e_bins CODEC(Delta, T64('bit'), ZSTD(1)),
    MODIFY COLUMN itl_bins CODEC(Delta, T64('bit'), ZSTD(1)),
    MODIFY COLUMN tpot_bins CODEC(Delta, T64('bit'), ZSTD(1)),
    MODIFY COLUMN queue_bins CODEC(Delta, T64('bit'), ZSTD(1)),
    MODIFY COLUMN input_tokens CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN output_tokens CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN uncached_input_tokens CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN cache_read_tokens CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN text_output_tokens CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN gpu_us CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN queue_us_sum CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN ttft_us_sum CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN e2e_us_sum CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN tpot_us_sum CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN itl_us_sum CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN itl_count CODEC(T64('bit'), ZSTD(1));
