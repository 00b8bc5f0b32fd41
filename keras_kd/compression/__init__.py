"""Students made smaller: each part takes any Keras model, distilled or not."""
