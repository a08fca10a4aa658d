"""Real services for tests: in containers where a Docker engine answers, else from packages."""
