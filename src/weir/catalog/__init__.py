"""The catalog: the list of what is in the lake, kept by the loader in ``catalog.db``."""
