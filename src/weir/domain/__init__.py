"""Frozen nouns without I/O: what the processes of Weir tell one another."""
