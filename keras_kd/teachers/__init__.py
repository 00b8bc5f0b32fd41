"""Teachers: what answers as one, and what was taught and stored."""
