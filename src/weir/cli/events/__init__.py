"""Commands that ask a node for its events, and what became of them."""
