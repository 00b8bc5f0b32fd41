"""The Keras model that a file is made from: its inputs, its names, its outputs."""
