"""The tail: what was read and is not in the lake yet, and what queries see of both."""
