"""Benchmarks: events per CPU-second of the whole process, with the breakdown that explains them."""
