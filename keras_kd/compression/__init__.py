"""Making students smaller: each part takes any Keras model, distilled or not."""
