"""What takes minutes, reports its progress and can be resumed."""
