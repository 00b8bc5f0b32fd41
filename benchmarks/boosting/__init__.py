"""The table of benchmarks/boosted.py."""
