"""The HTTP interface of alerts: Alertmanager's API for silences and alerts, and maintenance."""
