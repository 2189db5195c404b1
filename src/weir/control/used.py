"""What tenants have used of a month, out of the loader's catalog."""

from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import func, inspect, select

from weir.control.catalog_tables import USAGE
from weir.control.database import open_engine, sqlite_url


def used_in_month(catalog: Path, month: int) -> Mapping[int, int]:
    """Events by tenant, duplicates left out, up to the last lake commit.

    Empty while there is no catalog, or only that of an older version.
    """
    if not catalog.exists():
        return {}
    engine = open_engine(sqlite_url(catalog))
    try:
        with engine.connect() as connection:
            if not inspect(connection).has_table(USAGE.name):
                return {}
            used = func.sum(USAGE.c.accepted - USAGE.c.duplicate)
            chosen = select(USAGE.c.tenant_id, used).where(USAGE.c.month == month)
            rows = connection.execute(chosen.group_by(USAGE.c.tenant_id))
            return {tenant_id: int(events) for tenant_id, events in rows}
    finally:
        engine.dispose()
