"""From signals to a trained student."""
