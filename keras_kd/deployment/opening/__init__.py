"""Opening `.tflite` files, unknown ones in a child process first."""
