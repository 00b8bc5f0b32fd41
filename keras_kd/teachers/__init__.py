"""Anything that answers as a teacher: ensembles, models of other frameworks, plain functions."""
