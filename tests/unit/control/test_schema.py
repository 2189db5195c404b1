"""The tables that migrations make are the tables that the code uses, and that a new node gets."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, MetaData, inspect, text

from weir.catalog import adapter as catalog
from weir.catalog import tables as catalog_tables
from weir.control.store import tables
from weir.storage.database import Newest, migrate, open_engine, sqlite_url

CONTROL = (tables.MIGRATIONS, Newest(tables.METADATA, tables.FIRST_ROWS))
CATALOG = (catalog.MIGRATIONS, Newest(catalog_tables.METADATA, catalog_tables.FIRST_ROWS))


@pytest.mark.parametrize(
    ("scripts", "metadata"),
    [(CONTROL[0], tables.METADATA), (CATALOG[0], catalog_tables.METADATA)],
    ids=["control", "catalog"],
)
def test_migrations_make_the_tables_of_the_code(
    tmp_path: Path, scripts: Path, metadata: MetaData
) -> None:
    """Columns, types, keys and indexes agree."""
    engine = open_engine(sqlite_url(tmp_path / "migrated.db"))
    migrate(engine, scripts)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, metadata)
    engine.dispose()
    assert differences == []


@pytest.mark.parametrize(("scripts", "newest"), [CONTROL, CATALOG], ids=["control", "catalog"])
def test_a_new_database_is_what_the_migrations_make(
    tmp_path: Path, scripts: Path, newest: Newest
) -> None:
    """To the last constraint and the first rows; and there is nothing left to migrate."""
    made, migrated = (open_engine(sqlite_url(tmp_path / name)) for name in ("new.db", "old.db"))
    migrate(made, scripts, newest=newest)
    migrate(migrated, scripts)
    assert _everything(made) == _everything(migrated)
    migrate(made, scripts)
    assert _everything(made) == _everything(migrated)
    for engine in (made, migrated):
        engine.dispose()


def test_a_database_that_is_not_empty_is_migrated(tmp_path: Path) -> None:
    """Tables of an older version are changed by their migrations, never made a second time."""
    scripts, newest = CATALOG
    engine = open_engine(sqlite_url(tmp_path / "catalog.db"))
    migrate(engine, scripts)
    whole = _everything(engine)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE usage"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0002'"))
        connection.execute(text("UPDATE loader_epoch SET epoch = 7"))
    migrate(engine, scripts, newest=newest)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT epoch FROM loader_epoch")) == 7
    with engine.begin() as connection:
        connection.execute(text("UPDATE loader_epoch SET epoch = 0"))
    assert _everything(engine) == whole
    engine.dispose()


def _everything(engine: Engine) -> dict[str, object]:
    """Every table with its columns, keys, constraints, indexes and rows."""
    found: dict[str, object] = {}
    with engine.connect() as connection:
        look = inspect(connection)
        for name in look.get_table_names():
            columns = connection.execute(text(f"PRAGMA table_xinfo({name})")).all()
            found[name] = (
                [tuple(column) for column in columns],
                look.get_pk_constraint(name)["constrained_columns"],
                look.get_foreign_keys(name),
                look.get_unique_constraints(name),
                look.get_check_constraints(name),
                look.get_indexes(name),
                [tuple(row) for row in connection.execute(text(f"SELECT * FROM {name}"))],
            )
    return found
