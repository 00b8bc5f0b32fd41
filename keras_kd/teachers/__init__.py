"""Anything that answers as a teacher: ensembles, other frameworks, functions, and what was taught once."""
