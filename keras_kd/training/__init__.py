"""What works for any Keras model in `fit`."""
