"""Usage: what each tenant has used of a month."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Makes the table ``usage``, empty: what was taken before is in no month."""
    op.create_table(
        "usage",
        sa.Column("journal_id", sa.String(64), primary_key=True),
        sa.Column("tenant_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("month", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("accepted", sa.BigInteger, nullable=False),
        sa.Column("duplicate", sa.BigInteger, nullable=False),
    )
    op.create_index("usage_by_month", "usage", ["month"])
