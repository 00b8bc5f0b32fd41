"""How right the answers of models and files are."""
