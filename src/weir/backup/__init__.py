"""Backup of a node, running or not, and restore; docs/formats/backup.md describes the bytes.

1. ``make.py`` asks the loader to hold removals and to commit.
2. ``moment.py`` copies the databases and journals: the catalog first, then the journals, then
   control state, so that each knows what the one before names.
3. Files that the catalog names are copied (``copying.py``), unless the directory has them already:
   they never change.
4. The manifest (``manifest.py``) is written last, in one step. Until then the backup before it
   stays whole.

``restore.py`` writes into an empty directory, holds every file against its hash, and gives the node
a new epoch, so that no position of a journal is used twice. Until it is complete no node starts.
"""
