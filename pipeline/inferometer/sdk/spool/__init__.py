"""The disk spool of a client: what the broker has not acknowledged, in order, on this machine."""
