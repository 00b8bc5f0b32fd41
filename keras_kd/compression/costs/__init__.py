"""What a model costs: parameters, multiply-adds, bytes, and the memory of its activations."""
