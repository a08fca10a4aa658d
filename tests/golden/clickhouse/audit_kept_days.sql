SELECT name, toUInt32OrZero(extract(engine_full, 'TTL .+? \\+ toIntervalDay\\((\\d+)\\)'))
FROM system.tables
WHERE database = currentDatabase()
