"""Depthwise-separable convolutions in place of standard ones."""
