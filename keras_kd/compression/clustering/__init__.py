"""Kernels whose weights share few values."""
