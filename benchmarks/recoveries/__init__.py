"""What benchmarks/compression.py measured, shown."""
