"""Whether a directory with events still has the databases that know them."""

from weir.errors import Conflict
from weir.node.directory import Directory


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
