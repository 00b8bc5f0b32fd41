"""Models converted to the other Keras."""
