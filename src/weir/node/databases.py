"""Whether what a node needs of its directory is there, and whether its user may use it."""

from weir.errors import Conflict
from weir.node.directory import Directory
from weir.storage.local import check_access


def check_databases(directory: Directory) -> None:
    """Raises ``Conflict`` when events are stored and a database is not there.

    A node that made it anew would take stored files for leavings, and give their projects' numbers
    to others.
    """
    stored = (directory.lake, directory.raw)
    if not any(path.is_file() for each in stored for path in each.rglob("*")):
        return
    for database in (directory.catalog_db, directory.control_db):
        if not database.exists():
            raise Conflict(
                f"{directory.root} holds events, but {database.name} is missing.",
                code="database_missing",
                hint="Restore the directory from a backup, or use another --data directory.",
            )


def check_permissions(directory: Directory) -> None:
    """Raises ``InvalidInput`` (``file_access``) when this user may not use a part of the node.

    Asked of everything at the top and of the journals, whose processes would be started for ever:
    a command that was called as root leaves such files. What the first run left is for people.
    """
    for name in sorted(directory.own_names - {directory.first_run.name}):
        check_access(directory.root / name)
    for path in sorted(directory.journals.glob("*")):
        check_access(path)
    for path in sorted(directory.journals.glob("*/*")):
        check_access(path)
