"""What can be read of models while they run, and of the data."""
