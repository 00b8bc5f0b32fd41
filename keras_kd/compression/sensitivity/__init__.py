"""What a model loses when one of its layers is made smaller."""
