"""What a lake commit and a merge change in the catalog, each within the caller's transaction."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import msgspec
import sqlalchemy as sa

from weir.catalog import tables
from weir.domain.layout import Layout
from weir.domain.outcome import LedgerRow
from weir.errors import Conflict
from weir.lake.records import Commit, DeadLetter, Intent, Replacement, UsageRow

INTENT, COMMITTED = "intent", "committed"
"""The states of a commit."""

_UPSERTING = frozenset({"sqlite", "postgresql"})
"""Databases with the clauses that are used here."""


def check_epoch(connection: sa.Connection, epoch: int) -> None:
    """Raises ``Conflict`` (``fenced``) unless the epoch is the last loader's.

    Compares and sets: the row stays locked until the transaction ends.
    """
    mine = (
        sa.update(tables.LOADER_EPOCH)
        .where(tables.LOADER_EPOCH.c.epoch == epoch)
        .values(epoch=epoch)
    )
    if connection.execute(mine).rowcount != 1:
        raise Conflict("Another loader has taken over this node's data.", code="fenced")


def record_intent(connection: sa.Connection, epoch: int, intent: Intent) -> None:
    """Makes a cut known; the same one again changes nothing."""
    connection.execute(
        _insert_into(connection, tables.COMMITS).on_conflict_do_nothing(),
        {
            "id": intent.commit_id,
            "state": INTENT,
            "epoch": epoch,
            "intent": msgspec.msgpack.encode(intent),
        },
    )


def add_commit(connection: sa.Connection, commit: Commit) -> None:
    """Takes one lake commit, whose intent is recorded; one that is in already changes nothing.

    Raises ``Conflict`` (``changed``) when a letter that it replays is none any more.
    """
    if not _finish_intent(connection, commit):
        return
    commit_id = commit.intent.commit_id
    _insert(connection, tables.FILES, commit.files, commit_id)
    _add_layouts(connection, commit.layouts)
    _insert(connection, tables.RAW_FILES, commit.raw_files, commit_id)
    _insert(connection, tables.SIDECARS, commit.sidecars, commit_id)
    _insert(connection, tables.DEAD_LETTERS, commit.dead_letters, commit_id)
    _remove_replayed(connection, commit.replayed)
    _add_ledger(connection, commit.ledger)
    _add_usage(connection, commit.usage)
    _move_journals(connection, commit)
    _retire(connection, commit)


def replace_files(connection: sa.Connection, replacement: Replacement) -> None:
    """Puts a merged file in the place of its inputs.

    Raises ``Conflict`` (``changed``) when an input is not in the catalog any more.
    """
    files, merged = tables.FILES, replacement.file
    chosen = files.c.path.in_(replacement.inputs)
    commit_ids = connection.execute(
        sa.select(files.c.commit_id).where(chosen, files.c.project_id == merged.project_id)
    ).scalars()
    found = list(commit_ids)
    if len(found) != len(replacement.inputs):
        raise Conflict("Files to be replaced are not in the catalog.", code="changed")
    connection.execute(sa.delete(files).where(chosen))
    _insert(connection, files, [merged], max(found))
    _add_layouts(connection, [replacement.layout] if replacement.layout else [])
    _insert(connection, tables.REMOVALS, replacement.removals, max(found))


def _finish_intent(connection: sa.Connection, commit: Commit) -> bool:
    """Turns an intent into a commit; False when this very commit is in already."""
    commits, commit_id = tables.COMMITS, commit.intent.commit_id
    state = connection.execute(
        sa.select(commits.c.state).where(commits.c.id == commit_id)
    ).scalar_one()
    if state == COMMITTED:
        return False
    connection.execute(
        sa.update(commits)
        .where(commits.c.id == commit_id)
        .values(
            state=COMMITTED,
            committed_at_us=commit.committed_at_us,
            row_count=commit.row_count,
        )
    )
    return True


def _add_layouts(connection: sa.Connection, layouts: Sequence[Layout]) -> None:
    """Adds layouts; known ones change nothing, because an id is made from its content."""
    if not layouts:
        return
    insert = _insert_into(connection, tables.LAYOUTS)
    connection.execute(
        insert.on_conflict_do_nothing(),
        [
            {
                "id": layout.id,
                "project_id": layout.project_id,
                "columns": msgspec.msgpack.encode(layout.columns),
            }
            for layout in layouts
        ],
    )


def _add_ledger(connection: sa.Connection, rows: Sequence[LedgerRow]) -> None:
    if not rows:
        return
    insert = _insert_into(connection, tables.LEDGER)
    summed = {name: tables.LEDGER.c[name] + insert.excluded[name] for name in tables.COUNTS}
    connection.execute(
        insert.on_conflict_do_update(index_elements=["key_id", "minute"], set_=summed),
        [
            {name: getattr(row, name) for name in ("key_id", "minute", *tables.COUNTS)}
            for row in rows
        ],
    )


def _add_usage(connection: sa.Connection, rows: Sequence[UsageRow]) -> None:
    if not rows:
        return
    table = tables.USAGE
    insert = _insert_into(connection, table)
    summed = {name: table.c[name] + insert.excluded[name] for name in ("accepted", "duplicate")}
    connection.execute(
        insert.on_conflict_do_update(index_elements=list(table.primary_key), set_=summed),
        [msgspec.structs.asdict(row) for row in rows],
    )


def _move_journals(connection: sa.Connection, commit: Commit) -> None:
    insert = _insert_into(connection, tables.JOURNALS)
    for name, span in sorted(commit.spans.items()):
        place = {"position": span.to_position, "offset": span.to_offset}
        connection.execute(
            insert.on_conflict_do_update(index_elements=["id"], set_=place),
            {"id": name, **place},
        )


def _retire(connection: sa.Connection, commit: Commit) -> None:
    if not commit.retired:
        return
    paths = [{"gone": path} for path in commit.retired]
    for table in (tables.SIDECARS, tables.RAW_FILES):
        statement = sa.delete(table).where(table.c.path == sa.bindparam("gone"))
        connection.execute(statement, paths)
    connection.execute(
        _insert_into(connection, tables.REMOVALS).on_conflict_do_nothing(),
        [
            {"path": path, "commit_id": commit.intent.commit_id, "due_us": 0}
            for path in commit.retired
        ],
    )


def _remove_replayed(connection: sa.Connection, replayed: Sequence[DeadLetter]) -> None:
    """Removes dead letters that are rows now; raises ``Conflict`` when one is gone already."""
    letters = tables.DEAD_LETTERS
    for each in replayed:
        gone = connection.execute(
            sa.delete(letters).where(
                letters.c.project_id == each.project_id,
                letters.c.journal_id == each.journal_id,
                letters.c.position == each.position,
            )
        )
        if gone.rowcount != 1:
            raise Conflict("A dead letter was replayed already.", code="changed")


def _insert(
    connection: sa.Connection, table: sa.Table, rows: Sequence[msgspec.Struct], commit_id: int
) -> None:
    if rows:
        connection.execute(
            sa.insert(table),
            [{**msgspec.structs.asdict(row), "commit_id": commit_id} for row in rows],
        )


def _insert_into(connection: sa.Connection, table: sa.Table) -> Any:
    """An insert with the database's own clauses for rows that are there already."""
    name = connection.dialect.name
    assert name in _UPSERTING
    # Loaded when it is known which: the other one's drivers would double the loader's start.
    return import_module(f"sqlalchemy.dialects.{name}").insert(table)
