"""The epoch of the last change of control state, for those who start before the api process.

With the standard library's SQLite alone: the supervisor asks before it starts anything.
"""

from pathlib import Path

from weir.storage.sqlite import SqliteError, reading

BUSY_TIMEOUT_S = 1.0

_EPOCH = "SELECT epoch FROM control_state"


def stored_epoch(control_db: Path) -> int | None:
    """The registry's epoch; None while there is no database, or one that cannot be read now.

    A change that was broken off is rolled back first, as whoever opens it next would.
    """
    if not control_db.exists():
        return None
    try:
        with reading(control_db, wait_s=BUSY_TIMEOUT_S) as database:
            [(epoch,)] = database.execute(_EPOCH).fetchall()
    except (SqliteError, ValueError):  # the api process meets it too, and tells
        return None
    return int(epoch)
