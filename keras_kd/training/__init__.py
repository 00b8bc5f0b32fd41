"""Training features that work for any Keras model in `fit`."""
