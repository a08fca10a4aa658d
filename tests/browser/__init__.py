"""The console and its query API in a real browser, on a seeded store, against an independent oracle."""
