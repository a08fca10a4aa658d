SELECT
    receipt.first_offset AS entry,
    receipt.one = 1 AND placed.kafka_offset <= receipt.last_offset AS is_inside,
    count(),
    uniqExact(placed.kafka_offset, placed.kafka_index),
    uniqExact(placed.day),
    min(placed.kafka_offset),
    max(placed.kafka_offset)
FROM
(
    SELECT kafka_offset, kafka_index, toDate(decided_at) AS day, 1 AS one
    FROM dead_letters
    WHERE kafka_topic = {topic:String}
  AND stream_id = {stream_id:String}
  AND kafka_partition = {partition:UInt32}
      AND kafka_offset >= {first:UInt64} AND kafka_offset <= {last:UInt64}
) AS placed
ASOF LEFT JOIN
(
    SELECT first_offset, max(chunk_ledger.last_offset) AS last_offset, 1 AS one
    FROM chunk_ledger AS chunk_ledger
    WHERE kafka_topic = {topic:String}
  AND stream_id = {stream_id:String}
  AND kafka_partition = {partition:UInt32}
      AND first_offset >= {first:UInt64} AND first_offset <= {last:UInt64}
    GROUP BY first_offset
) AS receipt ON placed.one = receipt.one AND placed.kafka_offset >= receipt.first_offset
GROUP BY entry, is_inside
