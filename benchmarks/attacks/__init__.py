"""One module for each group of attacks; `benchmarks/attack.py` runs them and prints what came of it."""
