"""The catalog: which files are in the lake, up to where the journals are, and the ledger.

The adapter of the loader's port ``Catalog`` over SQLAlchemy Core. ``catalog.db`` has one writing
process, the loader; others that open it only read. Every change compares the loader's epoch
in the same transaction, so that a loader that was replaced cannot change anything any more.
"""

import contextlib
from collections.abc import Collection, Generator, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec
import sqlalchemy as sa

from weir.catalog import tables
from weir.catalog.changes import (
    COMMITTED,
    INTENT,
    add_commit,
    check_epoch,
    record_intent,
    replace_files,
)
from weir.domain.layout import Column, Layout
from weir.domain.outcome import LedgerRow
from weir.domain.snapshot import LakeFile
from weir.errors import Corrupt, Unavailable
from weir.lake.records import (
    CatalogState,
    Commit,
    DeadLetter,
    Intent,
    JournalMark,
    Removal,
    Replacement,
    SidecarFile,
    UsageRow,
)
from weir.storage.database import Newest, begin_write, migrate, open_engine

MIGRATIONS = Path(__file__).with_name("migrations")
KEYS_PER_STATEMENT = 500
"""Bound parameters of one IN; SQLite and drivers limit them."""

_WITH_PATHS = (tables.FILES, tables.RAW_FILES, tables.SIDECARS, tables.REMOVALS)
_Row = TypeVar("_Row", bound=msgspec.Struct)
_FATES = ("stored", "duplicate", "dead_lettered", "quarantined", "lost")


def _columns(table: sa.Table, kind: type[msgspec.Struct]) -> list["sa.Column[Any]"]:
    return [table.c[name] for name in kind.__struct_fields__]


# What a loader asks for at its start.
_LAST_COMMIT = (
    sa.select(tables.COMMITS.c.id, tables.COMMITS.c.committed_at_us)
    .where(tables.COMMITS.c.state == COMMITTED)
    .order_by(tables.COMMITS.c.id.desc())
    .limit(1)
)
_OPEN_INTENT = sa.select(tables.COMMITS.c.intent).where(tables.COMMITS.c.state == INTENT)
_JOURNALS = sa.select(tables.JOURNALS.c.id, tables.JOURNALS.c.position, tables.JOURNALS.c.offset)
_FILES = sa.select(*_columns(tables.FILES, LakeFile)).order_by(tables.FILES.c.commit_id)
_LAYOUTS = sa.select(tables.LAYOUTS).order_by(tables.LAYOUTS.c.id)
_SIDECARS = sa.select(*_columns(tables.SIDECARS, SidecarFile)).order_by(tables.SIDECARS.c.path)
_REMOVALS = sa.select(*_columns(tables.REMOVALS, Removal)).order_by(tables.REMOVALS.c.path)
_EXPLAINED = sa.select(
    sa.func.sum(
        sum((tables.LEDGER.c[name] for name in _FATES[1:]), start=tables.LEDGER.c[_FATES[0]])
    )
)


class SqlCatalog:
    """The catalog in the database at a URL. May be used by several threads."""

    __slots__ = ("_engine",)

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, url: str | sa.URL) -> Self:
        """Opens the database and brings its tables to this version.

        Raises ``Conflict`` when a newer version of Weir has written it, and as ``load`` does.
        """
        with _usable():
            engine = open_engine(url)
            migrate(engine, MIGRATIONS, newest=Newest(tables.METADATA, tables.FIRST_ROWS))
        return cls(engine)

    def close(self) -> None:
        """Ends the connections to the database."""
        self._engine.dispose()

    def take_over(self) -> int:
        """Raises the epoch and returns it; loaders with a lower one are fenced from now on.

        Raises as ``load`` does.
        """
        with _usable(), begin_write(self._engine) as connection:
            connection.execute(
                sa.update(tables.LOADER_EPOCH).values(epoch=tables.LOADER_EPOCH.c.epoch + 1)
            )
            epoch: int = connection.execute(sa.select(tables.LOADER_EPOCH.c.epoch)).scalar_one()
            return epoch

    def load(self) -> CatalogState:
        """Everything a loader must know at its start, from one transaction.

        Raises ``Unavailable`` (``catalog_unavailable``) when the database is locked or its disk
        refuses, and ``Corrupt`` when it is no database any more.
        """
        with _usable(), self._engine.begin() as connection:
            last = connection.execute(_LAST_COMMIT).first()
            intent = connection.execute(_OPEN_INTENT).scalar()
            return CatalogState(
                commit_id=last.id if last else 0,
                committed_at_us=last.committed_at_us if last else 0,
                journals={
                    journal_id: JournalMark(position, offset)
                    for journal_id, position, offset in connection.execute(_JOURNALS)
                },
                files=tuple(_read(connection, _FILES, LakeFile)),
                layouts=tuple(_read_layouts(connection)),
                sidecars=tuple(_read(connection, _SIDECARS, SidecarFile)),
                intent=intent and msgspec.msgpack.decode(intent, type=Intent),
                removals=tuple(_read(connection, _REMOVALS, Removal)),
                explained=int(connection.execute(_EXPLAINED).scalar() or 0),
            )

    def files_of(self, project_id: int) -> list[LakeFile]:
        """A project's files as of the last commit or merge, oldest day first."""
        files = tables.FILES.c
        chosen = (
            sa.select(*_columns(tables.FILES, LakeFile))
            .where(files.project_id == project_id)
            .order_by(files.day, files.path)
        )
        with _usable(), self._engine.begin() as connection:
            return _read(connection, chosen, LakeFile)

    def record_intent(self, epoch: int, intent: Intent) -> None:
        """Makes the cut durable; the same one again changes nothing."""
        with self._as_loader(epoch) as connection:
            record_intent(connection, epoch, intent)

    def commit(self, epoch: int, commit: Commit) -> None:
        """Takes one lake commit, all or nothing; one that is in already changes nothing.

        Its intent must have been recorded. ``Conflict`` (``fenced``) after a take-over.
        """
        with self._as_loader(epoch) as connection:
            add_commit(connection, commit)

    def replace_files(self, epoch: int, replacement: Replacement) -> None:
        """Puts a merged file in the place of its inputs, all of them or none.

        ``Conflict`` with the code ``fenced`` after a take-over, and with ``changed`` when an
        input is not in the catalog any more.
        """
        with self._as_loader(epoch) as connection:
            replace_files(connection, replacement)

    def unknown_paths(self, paths: Sequence[str]) -> list[str]:
        """Returns the paths that no table of files names."""
        known: set[str] = set()
        with self._engine.begin() as connection:
            for start in range(0, len(paths), KEYS_PER_STATEMENT):
                some = paths[start : start + KEYS_PER_STATEMENT]
                for table in _WITH_PATHS:
                    chosen = sa.select(table.c.path).where(table.c.path.in_(some))
                    known.update(connection.execute(chosen).scalars())
        return [path for path in paths if path not in known]

    def raw_between(self, project_id: int, *, from_us: int, to_us: int) -> list[str]:
        """Paths of a project's raw files that may hold frames received in a closed range.

        Oldest first; the last may hold only later ones, because a file's row says its newest frame.
        """
        raw = tables.RAW_FILES.c
        chosen = (
            sa.select(raw.path, raw.received_max_us)
            .where(raw.project_id == project_id, raw.received_max_us >= from_us)
            .order_by(raw.received_max_us, raw.path)
        )
        paths: list[str] = []
        with self._engine.begin() as connection:
            for path, newest_us in connection.execute(chosen):
                paths.append(path)
                if newest_us > to_us:
                    break
        return paths

    def expired_raw(self, *, before_us: int, limit: int) -> list[str]:
        """Paths of raw files whose newest frame was received before a time, oldest first."""
        chosen = (
            sa.select(tables.RAW_FILES.c.path)
            .where(tables.RAW_FILES.c.received_max_us < before_us)
            .order_by(tables.RAW_FILES.c.received_max_us, tables.RAW_FILES.c.path)
            .limit(limit)
        )
        with self._engine.begin() as connection:
            return list(connection.execute(chosen).scalars())

    def forget_removals(self, epoch: int, paths: Collection[str]) -> None:
        """Forgets retired files that are gone."""
        if not paths:
            return
        with self._as_loader(epoch) as connection:
            connection.execute(
                sa.delete(tables.REMOVALS).where(tables.REMOVALS.c.path == sa.bindparam("gone")),
                [{"gone": path} for path in paths],
            )

    def ledger(
        self, *, key_ids: Collection[int] | None, from_minute: int, to_minute: int
    ) -> list[LedgerRow]:
        """Rows of keys (None: all) in ``[from_minute, to_minute)``, by minute and key."""
        chosen = (
            sa.select(tables.LEDGER)
            .where(tables.LEDGER.c.minute >= from_minute, tables.LEDGER.c.minute < to_minute)
            .order_by(tables.LEDGER.c.minute, tables.LEDGER.c.key_id)
        )
        with self._engine.begin() as connection:
            if key_ids is None:
                return [LedgerRow(**row) for row in connection.execute(chosen).mappings()]
            rows: list[LedgerRow] = []
            ordered = sorted(set(key_ids))
            for start in range(0, len(ordered), KEYS_PER_STATEMENT):
                some = chosen.where(
                    tables.LEDGER.c.key_id.in_(ordered[start : start + KEYS_PER_STATEMENT])
                )
                rows += [LedgerRow(**row) for row in connection.execute(some).mappings()]
        return sorted(rows, key=lambda row: (row.minute, row.key_id))

    def dead_letters(self, project_id: int, *, limit: int) -> list[DeadLetter]:
        """A project's newest dead letters, newest first."""
        chosen = (
            sa.select(*_columns(tables.DEAD_LETTERS, DeadLetter))
            .where(tables.DEAD_LETTERS.c.project_id == project_id)
            .order_by(tables.DEAD_LETTERS.c.received_at_us.desc(), tables.DEAD_LETTERS.c.id.desc())
            .limit(limit)
        )
        with self._engine.begin() as connection:
            return _read(connection, chosen, DeadLetter)

    def usage(self, month: int) -> list[UsageRow]:
        """What tenants have used of a month, by journal."""
        chosen = sa.select(*_columns(tables.USAGE, UsageRow)).where(tables.USAGE.c.month == month)
        with self._engine.begin() as connection:
            return _read(connection, chosen, UsageRow)

    def find_dead_letters(
        self, project_id: int, wanted: Sequence[tuple[str, int]]
    ) -> list[DeadLetter]:
        """Returns a project's dead letters that lie at these journals and positions."""
        letters = tables.DEAD_LETTERS
        exactly = set(wanted)
        positions = sorted({position for _, position in exactly})
        chosen = sa.select(*_columns(letters, DeadLetter))
        found: list[DeadLetter] = []
        with self._engine.begin() as connection:
            for start in range(0, len(positions), KEYS_PER_STATEMENT):
                some = letters.c.position.in_(positions[start : start + KEYS_PER_STATEMENT])
                theirs = chosen.where(letters.c.project_id == project_id, some)
                found += _read(connection, theirs, DeadLetter)
        return [each for each in found if (each.journal_id, each.position) in exactly]

    @contextlib.contextmanager
    def _as_loader(self, epoch: int) -> Generator[sa.Connection]:
        """A transaction of the loader that has this epoch, or ``Conflict`` (``fenced``)."""
        with begin_write(self._engine) as connection:
            check_epoch(connection, epoch)
            yield connection


@contextlib.contextmanager
def _usable() -> Generator[None]:
    try:
        yield
    except sa.exc.OperationalError as error:
        raise Unavailable(
            f"The catalog cannot be used: {error.orig}.",
            code="catalog_unavailable",
            hint="Look at the disk of the data directory, and at who else has catalog.db open.",
            retry_after_s=1,
        ) from error
    except sa.exc.DatabaseError as error:
        if type(error) is not sa.exc.DatabaseError:  # a constraint or a statement: a bug
            raise
        raise Corrupt(
            f"The catalog (catalog.db) is damaged: {error.orig}.",
            code="database_damaged",
            hint="Restore the data directory from a backup; the journals still hold what is newer.",
        ) from error


def _read_layouts(connection: sa.Connection) -> list[Layout]:
    decode = msgspec.msgpack.Decoder(tuple[Column, ...]).decode
    return [
        Layout(row.id, row.project_id, decode(row.columns)) for row in connection.execute(_LAYOUTS)
    ]


def _read(connection: sa.Connection, chosen: "sa.Select[Any]", kind: type[_Row]) -> list[_Row]:
    """Rows of exactly the struct's fields, in their order."""
    return [kind(*row) for row in connection.execute(chosen)]
