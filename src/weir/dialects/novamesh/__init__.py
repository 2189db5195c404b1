"""The NovaMesh dialect."""
