"""Durable local files; the object store's port and adapters join here."""
