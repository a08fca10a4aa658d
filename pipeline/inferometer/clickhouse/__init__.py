"""Everything that speaks to ClickHouse: store, queries, migrations."""
