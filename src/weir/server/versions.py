"""What a newer version of Weir has written in a directory is refused before anything is begun.

The processes that open a database, a journal or a sidecar refuse it too, and the node ends with
their words (``node/damage.py``); here nothing has been started and nothing is touched.
"""

from importlib.resources import as_file, files

from weir.journal.versions import check_journals
from weir.node.directory import Directory
from weir.storage.sqlite import check_revision

WAIT_S = 5.0
"""How long a writer of a database is waited for."""


def check_versions(directory: Directory) -> None:
    """Raises ``Conflict`` (``newer_database``) or ``Corrupt`` (``journal_version``).

    A database or a journal that is not there yet is fine.
    """
    for database, package in (
        (directory.control_db, "weir.control.store"),
        (directory.catalog_db, "weir.catalog"),
    ):
        with as_file(files(package) / "migrations") as migrations:
            check_revision(database, migrations, wait_s=WAIT_S)
    check_journals(directory.journals)
