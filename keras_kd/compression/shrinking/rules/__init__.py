"""How each kind of operation connects the channels that it reads with those that it returns."""
