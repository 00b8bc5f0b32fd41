"""Structured pruning: fewer channels, heads, units and blocks, in a model that stays a plain Keras model."""
