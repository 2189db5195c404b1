"""The clickstream dialect."""
