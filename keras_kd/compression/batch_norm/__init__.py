"""BatchNorm: statistics anew, and folded into the layer beside it."""
