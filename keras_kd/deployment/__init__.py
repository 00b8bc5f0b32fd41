"""From a Keras model to a file whose behavior is known."""
