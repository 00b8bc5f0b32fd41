"""What computes a teacher's answers: TensorFlow, LiteRT or ONNX Runtime."""
