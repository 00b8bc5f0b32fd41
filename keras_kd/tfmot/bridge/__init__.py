"""Models rebuilt in the other Keras."""
