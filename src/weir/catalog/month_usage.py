"""What tenants have used of a month, out of the loader's catalog.

With the standard library's SQLite alone: the supervisor asks before it starts anything.
"""

from collections.abc import Mapping
from pathlib import Path

from weir.errors import Unavailable
from weir.storage.sqlite import SqliteError, reading

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
    try:
        with reading(catalog, wait_s=BUSY_TIMEOUT_S) as database:
            if database.execute(_HAS_TABLE).fetchone() is None:
                return {}
            return dict(database.execute(_USED, (month,)))
    except SqliteError as error:
        raise Unavailable(
            "The catalog cannot be read.",
            code="catalog_unavailable",
            hint="weir doctor looks at catalog.db; it is tried again with the next call.",
        ) from error
