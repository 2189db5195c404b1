"""The catalog: the list of what is in the lake, kept by the loader in ``catalog.db``.

It names every file of the lake, up to which position each journal is in it, the ledger, the month's
usage, dead letters, and what is to be removed. The loader is its one writer and asks for it by a
port of its own, which ``adapter.SqlCatalog`` fits; ``changes.py`` has the two changes that matter,
a lake commit and a merge, each within one transaction. ``tables.py`` and ``migrations/`` say the
same, and docs/formats/catalog.md describes it.

- A file is in the lake when a row says so; a commit is all or nothing.
- What a commit will write is recorded first, as its intent, and there is at most one unfinished.
- Every change compares the loader's epoch in its transaction: a loader that was replaced cannot
  change anything.

Others only read: commands of ``cli``, a backup, and whoever starts a node or lists tenants asks for
the month's usage (``month_usage.py``, without SQLAlchemy).
"""
