"""Some hundred statements, a line each in ``chosen/*.sql``, and the small tables they read."""

from pathlib import Path
from typing import Final

import duckdb

FOLDER: Final = Path(__file__).parent / "chosen"

TABLES: Final = (
    (
        "CREATE TABLE numbers AS SELECT * FROM (VALUES"
        " (1, 1, 1.5, 1.10, 'one', true), (2, 1, NULL, 2.20, 'two', false),"
        " (3, 2, 3.5, 3.30, 'Three', NULL), (4, 2, 2.25, 4.40, 'two', true),"
        " (5, NULL, 5.0, NULL, NULL, false)"
        ") t(i, j, x, d, s, b)"
    ),
    "ALTER TABLE numbers ALTER x TYPE DOUBLE",
    (
        "CREATE TABLE moments AS SELECT id, noted::TIMESTAMPTZ AS noted, word FROM (VALUES"
        " (1, '2026-03-01 00:00:00+00', '10'), (2, '2026-03-01 12:30:00+00', '9'),"
        " (3, '2026-03-02 08:00:00.25+00', 'x'), (4, '2026-03-02 08:00:00.5+00', NULL),"
        " (5, '2026-02-24 23:59:59.999999+00', '9')"
        ") t(id, noted, word)"
    ),
    (
        "CREATE TABLE days AS SELECT * FROM (VALUES (DATE '2026-01-01', 1), (DATE '2026-01-02', 2),"
        " (DATE '2026-01-05', 1), (DATE '2026-01-09', 4)) t(day, v)"
    ),
    (
        "CREATE TABLE nested AS SELECT * FROM (VALUES"
        " (1, [1, 2, 3], {'a': 1, 'b': 'x'}, MAP {'a': 1, 'b': 2}),"
        " (2, [NULL, 5], {'a': NULL, 'b': 'y'}, MAP {'c': 3}),"
        " (3, NULL, NULL, NULL)) t(i, l, st, m)"
    ),
    (
        "CREATE TABLE events AS SELECT * FROM (VALUES"
        ' (\'a\', \'{"plan": "pro", "n": 1, "items": [{"sku": "a"}, {"sku": "b"}]}\','
        '  \'{"page": {"path": "/P"}}\'),'
        ' (\'b\', \'{"plan": "free", "n": "2", "items": []}\', NULL),'
        " ('c', '{\"plan\": null}', '{}'),"
        ' (\'d\', \'{"plan": "pro", "n": 4.5}\', \'{"page": {}}\')'
        ") t(event_id, properties, context)"
    ),
)


def make_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes the tables that the statements read."""
    for statement in TABLES:
        connection.execute(statement)


def statements_of(topic: str) -> list[str]:
    """Returns the statements of one file, ``topic`` without its ending."""
    return (FOLDER / f"{topic}.sql").read_text().splitlines()


def topics() -> list[str]:
    """Returns the names of all files."""
    return sorted(path.stem for path in FOLDER.glob("*.sql"))
