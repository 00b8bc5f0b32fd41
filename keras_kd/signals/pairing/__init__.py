"""Which signals of two models belong together."""
