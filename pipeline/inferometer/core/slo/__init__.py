"""Objectives: what is counted, over which windows, and how fast a budget burns."""
