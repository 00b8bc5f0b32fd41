"""Low rank: one layer becomes two or three thin ones with almost the same outputs."""
