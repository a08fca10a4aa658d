"""What an operator sees of a worker: Prometheus metrics, health and readiness, over HTTP."""
