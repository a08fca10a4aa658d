"""Traffic that looks real: a seeded fleet and replay of recorded traces."""
