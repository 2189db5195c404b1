"""Weir: self-hosted event ingestion and analytics."""

__version__ = "0.1.0"
