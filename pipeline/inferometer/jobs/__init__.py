"""The order of effects, over ports."""
