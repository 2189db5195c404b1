"""The first tables of the catalog: commits, files, sidecars, ledger, dead letters."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_COUNTS = (
    "received rejected accepted stored duplicate duplicate_conflict dead_lettered quarantined lost"
)


def upgrade() -> None:
    """Makes the tables and the one row of ``loader_epoch``."""
    _create_positions()
    _create_files()
    op.create_table(
        "ledger",
        sa.Column("key_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("minute", sa.BigInteger, primary_key=True, autoincrement=False),
        *(_number(name) for name in _COUNTS.split()),
    )
    op.create_index("ledger_by_minute", "ledger", ["minute"])
    op.create_table(
        "dead_letters",
        sa.Column("id", sa.Integer, primary_key=True),
        _number("commit_id"),
        _number("project_id"),
        _number("key_id"),
        _number("received_at_us"),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("journal_id", sa.String(64), nullable=False),
        _number("position"),
        _number("event_count"),
        sa.Column("raw_path", sa.String(512), nullable=False),
    )
    op.create_index("dead_letters_by_project", "dead_letters", ["project_id", "received_at_us"])


def _create_positions() -> None:
    epoch = op.create_table(
        "loader_epoch",
        sa.Column("id", sa.Integer, sa.CheckConstraint("id = 1"), primary_key=True),
        _number("epoch"),
    )
    op.bulk_insert(epoch, [{"id": 1, "epoch": 0}])
    op.create_table(
        "journals",
        sa.Column("id", sa.String(64), primary_key=True),
        _number("position"),
        _number("offset"),
    )
    op.create_table(
        "commits",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("state", sa.String(16), nullable=False),
        _number("epoch"),
        sa.Column("intent", sa.LargeBinary, nullable=False),
        sa.Column("committed_at_us", sa.BigInteger),
        sa.Column("row_count", sa.BigInteger),
    )


def _create_files() -> None:
    op.create_table(
        "files",
        _path(),
        _number("commit_id"),
        _number("project_id"),
        _number("row_count"),
        _number("byte_count"),
        sa.Column("day", sa.String(10), nullable=False),
        _number("ts_min_us"),
        _number("ts_max_us"),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("layout", sa.Integer, nullable=False),
    )
    op.create_index("files_by_project", "files", ["project_id", "day"])
    op.create_table(
        "raw_files",
        _path(),
        _number("commit_id"),
        _number("project_id"),
        _number("frame_count"),
        _number("byte_count"),
        _number("received_max_us"),
        sa.Column("sha256", sa.String(64), nullable=False),
    )
    op.create_index("raw_files_by_age", "raw_files", ["received_max_us"])
    op.create_table(
        "sidecars",
        _path(),
        _number("commit_id"),
        _number("id_count"),
        _number("byte_count"),
        _number("received_min_us"),
        _number("received_max_us"),
        sa.Column("sha256", sa.String(64), nullable=False),
    )
    op.create_table("removals", _path(), _number("commit_id"))


def _number(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger, nullable=False)


def _path() -> "sa.Column[str]":
    return sa.Column("path", sa.String(512), primary_key=True)
