"""Fakes of the ports, shipped so that users can test without services."""
