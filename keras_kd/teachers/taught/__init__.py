"""What a teacher has taught once: stored by sample, and joined to data again."""
