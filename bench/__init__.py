"""Measurements: ratios of things run side by side on one machine. Nothing here is a test."""
