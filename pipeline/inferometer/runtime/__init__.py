"""Joins rooms: makes adapters from settings, hands them to jobs, and runs them."""
