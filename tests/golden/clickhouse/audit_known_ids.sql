SELECT DISTINCT event_id
FROM requests
WHERE kafka_topic = {topic:String}
  AND event_id IN {event_ids:Array(String)}
