"""The one way to ``control.db``: what reads it, what changes it, and what every change does too.

A change counts the registry's epoch up in its own transaction, and the registry that it leads to is
published before the change returns. One change runs at a time, whatever the thread.
"""

import contextlib
import threading
from collections.abc import Generator

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError, OperationalError

from weir.control.store.registry_rows import advance_registry
from weir.domain.registry import Registry
from weir.errors import Corrupt, Unavailable
from weir.node.board import Board
from weir.node.directory import Directory
from weir.node.registry import publish_registry
from weir.storage.database import begin_write


class Transactions:
    """Transactions on an open database; without a board nothing is published.

    A disk that fails raises ``Unavailable``, a database that is damaged ``Corrupt``.
    """

    __slots__ = ("_behind", "_board", "_directory", "_engine", "_turn")

    def __init__(self, engine: Engine, directory: Directory, board: Board | None) -> None:
        self._engine = engine
        self._directory = directory
        self._board = board
        self._turn = threading.Lock()
        self._behind = True

    @contextlib.contextmanager
    def read(self) -> Generator[Connection]:
        """A connection to read with."""
        with database_errors_told(), self._engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Generator[Connection]:
        """One transaction on what the registry does not hold: no epoch, nothing published."""
        with self._turn, database_errors_told(), begin_write(self._engine) as connection:
            yield connection

    @contextlib.contextmanager
    def change(self) -> Generator[Connection]:
        """One transaction with an epoch of its own; at its end the registry is out.

        Raises ``Unavailable`` (``not_published``) when the change is stored and the registry could
        not be written.
        """
        with self._turn:
            with database_errors_told(), begin_write(self._engine) as connection:
                yield connection
                registry = advance_registry(connection)
            self._publish(registry)

    def publish_pending(self) -> None:
        """Publishes the registry if the last one stored is not out; else does nothing."""
        if self._board is not None and self._behind:
            with self.change():
                pass

    def close(self) -> None:
        """Ends the connections, once the change that runs is done."""
        with self._turn:
            self._engine.dispose()

    def _publish(self, registry: Registry) -> None:
        if self._board is None:
            return
        self._behind = True
        try:
            publish_registry(self._directory, self._board, registry)
        except OSError as error:
            raise Unavailable(
                "The change is stored, but the workers could not be told of it yet.",
                code="not_published",
                hint="It is tried again every minute; look at the disk's free space.",
                reason=error.strerror,
            ) from error
        self._behind = False


@contextlib.contextmanager
def database_errors_told() -> Generator[None]:
    """Translates what SQLAlchemy raises for a failing disk and for a damaged database."""
    try:
        yield
    except OperationalError as error:
        raise Unavailable(
            "Control state cannot be used now.",
            code="control_unavailable",
            hint="Look at the disk: its free space, and whether the directory may be written.",
            reason=str(error.orig),
        ) from error
    except DatabaseError as error:
        if type(error) is not DatabaseError:  # a constraint or a statement: a bug, not a disk
            raise
        raise Corrupt(
            f"The control database (control.db) is damaged: {error.orig}.",
            code="database_damaged",
            hint="Restore the data directory from a backup; weir doctor looks at its databases.",
        ) from error
