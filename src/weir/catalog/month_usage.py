"""What tenants have used of a month, out of the loader's catalog.

With the standard library's SQLite alone: the supervisor asks before it starts anything.
"""

import contextlib
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from weir.errors import Unavailable

BUSY_TIMEOUT_S = 5.0

_HAS_TABLE = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'usage'"
_USED = "SELECT tenant_id, sum(accepted - duplicate) FROM usage WHERE month = ? GROUP BY tenant_id"


def used_in_month(catalog: Path, month: int) -> Mapping[int, int]:
    """Events by tenant, duplicates left out, up to the last lake commit.

    Empty while there is no catalog, or only that of an older version. ``Unavailable``
    (``catalog_unavailable``) when it cannot be read.
    """
    if not catalog.exists():
        return {}
    # Not read-only: a commit that was broken off is rolled back by whoever looks first.
    uri = f"{catalog.absolute().as_uri()}?mode=rw"
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S)) as database:
            if database.execute(_HAS_TABLE).fetchone() is None:
                return {}
            return dict(database.execute(_USED, (month,)))
    except sqlite3.Error as error:
        raise Unavailable(
            "The catalog cannot be read.",
            code="catalog_unavailable",
            hint="weir doctor looks at catalog.db; it is tried again with the next call.",
        ) from error
