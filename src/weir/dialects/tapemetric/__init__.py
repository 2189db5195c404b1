"""The Tapemetric dialect."""
