"""From a Keras model to a file whose behaviour is known."""
