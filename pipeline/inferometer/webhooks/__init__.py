"""Webhooks: formats of messages, their signatures, and the guarded sender that carries them."""
