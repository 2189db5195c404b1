"""The native dialect, for new users."""
