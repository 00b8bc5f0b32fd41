"""Which signals of two models correspond to each other."""
