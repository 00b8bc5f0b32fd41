"""Schemes: several models in one step, or one after another."""
