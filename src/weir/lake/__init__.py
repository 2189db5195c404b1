"""Committed rows: canonical Parquet, raw payload files, deduplication sidecars."""
