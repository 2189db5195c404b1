"""The lake: committed rows as canonical Parquet, raw payloads beside them, ids to tell duplicates.

``schema.py`` says what a row is, ``parquet.py``, ``raw.py`` and ``sidecar.py`` how each kind of
file looks; files are never changed, and named by their content (``store.py`` keeps them). Frequent
properties get columns of their own (``choice.py``, ``acceleration.py``). ``tiers.py`` decides which
files are merged, ``merge.py`` merges them. ``records.py`` holds what the catalog knows of all this.
"""
