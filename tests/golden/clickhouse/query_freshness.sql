SELECT count() AS partitions, min(watermark) AS watermark, max(updated_at) AS updated_at
FROM freshness
