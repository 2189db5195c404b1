"""The write-ahead log of one edge worker: acknowledged means in here and on disk."""
