"""The tables that migrations make are the tables that the code uses."""

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from weir.control.database import migrate, open_engine, sqlite_url
from weir.control.service import MIGRATIONS
from weir.control.tables import METADATA


def test_migrations_make_the_tables_of_the_code(tmp_path: Path) -> None:
    """Columns, types, keys and indexes agree."""
    engine = open_engine(sqlite_url(tmp_path / "control.db"))
    migrate(engine, MIGRATIONS)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, METADATA)
    engine.dispose()
    assert differences == []
