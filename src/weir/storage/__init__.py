"""Files and databases that survive a power cut; nothing here knows what they hold.

``local.py`` is the one place that writes a file durably (temporary name, fsync, rename, fsync of
the directory) and locks one. ``database.py`` opens the databases of the node over SQLAlchemy, with
explicit transactions, and brings their tables to this version. ``sqlite.py`` reads a database with
the standard library alone, for those that start before SQLAlchemy is loaded.

A write that has returned is on disk. One that raised has left the old content, and a temporary file
at most, which no reader takes for anything.
"""
