"""ClickHouse's HTTP interface over the embedded engine, for one machine."""
