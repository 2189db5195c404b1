"""Layouts: the accelerated columns of files, under ids of 63 bits."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Makes the table ``layouts`` and lets files name one."""
    op.create_table(
        "layouts",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("project_id", sa.BigInteger, nullable=False),
        sa.Column("columns", sa.LargeBinary, nullable=False),
    )
    with op.batch_alter_table("files") as files:
        files.alter_column("layout", type_=sa.BigInteger, existing_nullable=False)
