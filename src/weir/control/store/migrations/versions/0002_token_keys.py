"""The keys that sign access tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Makes the table; the first token makes its first row."""
    op.create_table(
        "token_keys",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kid", sa.String(22), nullable=False, unique=True),
        sa.Column("public", sa.LargeBinary, nullable=False),
        sa.Column("private", sa.LargeBinary),
        sa.Column("created_at_us", sa.BigInteger, nullable=False),
        sa.Column("ends_at_us", sa.BigInteger),
    )
