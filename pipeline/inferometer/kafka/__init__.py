"""Everything that speaks to Kafka: the Faust app, its transport, the embedded broker."""
