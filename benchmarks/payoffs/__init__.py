"""The parts of benchmarks/payoff.py."""
