"""Layouts: the accelerated columns of files, under ids of 63 bits; removals at a later time."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Makes the table ``layouts``, lets files name one, and gives removals a time."""
    op.create_table(
        "layouts",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("project_id", sa.BigInteger, nullable=False),
        sa.Column("columns", sa.LargeBinary, nullable=False),
    )
    with op.batch_alter_table("files") as files:
        files.alter_column("layout", type_=sa.BigInteger, existing_nullable=False)
    with op.batch_alter_table("removals") as removals:
        removals.add_column(sa.Column("due_us", sa.BigInteger, nullable=False, server_default="0"))
        removals.alter_column("due_us", server_default=None, existing_nullable=False)
