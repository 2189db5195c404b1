"""DuckDB: settings, limits, sandbox; nobody else imports duckdb.

``session.py`` opens a session that can read exactly the files it was given; ``sources.py`` names
them as tables, ``mistakes.py`` puts the engine's complaints into words of ours. ``sandbox.py``,
``landlock.py`` and ``seccomp.py`` are what a process gives up before a tenant's statement runs in
it: limits, files, system calls. ``extract.py`` reads properties out of JSON text for the loader's
accelerated columns with the function that queries use; ``sorting.py`` sorts the rows of a merge in
bounded memory.

Tenants' statements run in processes of their own (``weir.workers``), one each. Every layer of the
sandbox may be missing on a machine; what cannot be had is left out, and the parent kills at the
deadline whatever happens.
"""
