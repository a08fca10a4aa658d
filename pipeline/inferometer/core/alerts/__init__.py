"""Alerts: rules over time, incidents, what mutes them, and what is told to whom."""
