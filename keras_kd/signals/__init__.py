"""Signals: what can be read from models while they run, and from the data."""
