"""The catalog's tables, as SQLAlchemy Core sees them; docs/formats/catalog.md describes them.

The migrations in ``migrations`` make the same; a test compares the two.
"""

import sqlalchemy as sa

METADATA = sa.MetaData()

COUNTS = (
    "received",
    "rejected",
    "accepted",
    "stored",
    "duplicate",
    "duplicate_conflict",
    "dead_lettered",
    "quarantined",
    "lost",
)
"""The ledger's columns of counts; ``in_flight`` is never stored."""

PATH_CHARS_MAX = 512


def _number(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger, nullable=False)


def _path() -> "sa.Column[str]":
    return sa.Column("path", sa.String(PATH_CHARS_MAX), primary_key=True)


LOADER_EPOCH = sa.Table(
    "loader_epoch",
    METADATA,
    sa.Column("id", sa.Integer, sa.CheckConstraint("id = 1"), primary_key=True),
    _number("epoch"),
)

FIRST_ROWS = {LOADER_EPOCH: {"id": 1, "epoch": 0}}

JOURNALS = sa.Table(
    "journals",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    _number("position"),
    _number("offset"),
)

COMMITS = sa.Table(
    "commits",
    METADATA,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("state", sa.String(16), nullable=False),
    _number("epoch"),
    sa.Column("intent", sa.LargeBinary, nullable=False),
    sa.Column("committed_at_us", sa.BigInteger),
    sa.Column("row_count", sa.BigInteger),
)

FILES = sa.Table(
    "files",
    METADATA,
    _path(),
    _number("commit_id"),
    _number("project_id"),
    _number("row_count"),
    _number("byte_count"),
    sa.Column("day", sa.String(10), nullable=False),
    _number("ts_min_us"),
    _number("ts_max_us"),
    sa.Column("sha256", sa.String(64), nullable=False),
    _number("layout"),
    sa.Index("files_by_project", "project_id", "day"),
)

LAYOUTS = sa.Table(
    "layouts",
    METADATA,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    _number("project_id"),
    sa.Column("columns", sa.LargeBinary, nullable=False),
)

RAW_FILES = sa.Table(
    "raw_files",
    METADATA,
    _path(),
    _number("commit_id"),
    _number("project_id"),
    _number("frame_count"),
    _number("byte_count"),
    _number("received_max_us"),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Index("raw_files_by_age", "received_max_us"),
)

SIDECARS = sa.Table(
    "sidecars",
    METADATA,
    _path(),
    _number("commit_id"),
    _number("id_count"),
    _number("byte_count"),
    _number("received_min_us"),
    _number("received_max_us"),
    sa.Column("sha256", sa.String(64), nullable=False),
)

LEDGER = sa.Table(
    "ledger",
    METADATA,
    sa.Column("key_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("minute", sa.BigInteger, primary_key=True, autoincrement=False),
    *(_number(name) for name in COUNTS),
    sa.Index("ledger_by_minute", "minute"),
)

USAGE = sa.Table(
    "usage",
    METADATA,
    sa.Column("journal_id", sa.String(64), primary_key=True),
    sa.Column("tenant_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("month", sa.BigInteger, primary_key=True, autoincrement=False),
    _number("accepted"),
    _number("duplicate"),
    sa.Index("usage_by_month", "month"),
)

DEAD_LETTERS = sa.Table(
    "dead_letters",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    _number("commit_id"),
    _number("project_id"),
    _number("key_id"),
    _number("received_at_us"),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("journal_id", sa.String(64), nullable=False),
    _number("position"),
    _number("event_count"),
    sa.Column("raw_path", sa.String(PATH_CHARS_MAX), nullable=False),
    sa.Index("dead_letters_by_project", "project_id", "received_at_us"),
)

REMOVALS = sa.Table("removals", METADATA, _path(), _number("commit_id"), _number("due_us"))
