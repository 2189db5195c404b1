"""Control state, opened: a service per noun over one database, whose one writer this process is."""

import contextlib
import secrets
from pathlib import Path
from typing import Final, Self

from weir.catalog.month_usage import used_in_month
from weir.clock import Clock
from weir.control.first_run import first_run
from weir.control.keys import Keys
from weir.control.plans import Plans
from weir.control.projects import Projects, Random
from weir.control.store.tables import FIRST_ROWS, METADATA, MIGRATIONS
from weir.control.store.transactions import Transactions, database_errors_told
from weir.control.tenants import Tenants
from weir.control.token_keys import TokenKeys
from weir.control.uptime import Uptime
from weir.domain.times import month_of
from weir.node.board import Board
from weir.node.directory import Directory
from weir.storage.database import Newest, migrate, open_engine, sqlite_url
from weir.storage.local import FileLock, make_root, while_locked


class ControlService:
    """What the operator may change, by noun. Holds ``control.lock`` until ``close``.

    Every change is one transaction that also counts the registry's epoch up; the new registry is
    published before the call returns. Methods of the nouns may be called from any thread; one
    change runs at a time. They raise ``InvalidInput``, ``NotFound``, ``Conflict`` and
    ``LimitExceeded`` as each says, and ``Unavailable`` when a change is stored but not published.
    """

    __slots__ = (
        *("_lock", "_transactions"),
        *("keys", "plans", "projects", "tenants", "token_keys", "uptime"),
    )

    def __init__(
        self,
        transactions: Transactions,
        lock: FileLock,
        catalog_db: Path,
        *,
        clock: Clock,
        random: Random,
    ) -> None:
        self._transactions = transactions
        self._lock = lock
        self.plans: Final = Plans(transactions, clock)
        self.tenants: Final = Tenants(
            transactions, clock, lambda: used_in_month(catalog_db, month_of(clock.now_us()))
        )
        self.projects: Final = Projects(transactions, clock, random)
        self.keys: Final = Keys(transactions, clock, random)
        self.token_keys: Final = TokenKeys(transactions, clock)
        self.uptime: Final = Uptime(transactions, clock)

    @classmethod
    def open(
        cls,
        directory: Directory,
        *,
        clock: Clock,
        board: Board | None = None,
        url: str | None = None,
        random: Random = secrets.token_bytes,
        wait_s: float = 0,
    ) -> Self:
        """Opens the node's control state, making it when the directory is new, and publishes.

        Without a board nothing is published. ``url`` is told to the reader of first-run.json.
        Raises ``Conflict``: ``locked`` when another process still has it open after ``wait_s``
        seconds, ``newer_database`` when a newer version has written it.
        """
        make_root(directory.root)
        lock = FileLock(directory.control_lock, purpose="Control state is in use")
        while_locked(lock.acquire, wait_s=wait_s, clock=clock)
        with contextlib.ExitStack() as undone:
            undone.callback(lock.release)
            engine = open_engine(sqlite_url(directory.control_db))
            undone.callback(engine.dispose)
            with database_errors_told():
                migrate(engine, MIGRATIONS, newest=Newest(METADATA, FIRST_ROWS))
                first_run(engine, directory, now_us=clock.now_us(), random=random, url=url)
            transactions = Transactions(engine, directory, board)
            transactions.publish_pending()
            undone.pop_all()
        return cls(transactions, lock, directory.catalog_db, clock=clock, random=random)

    def close(self) -> None:
        """Ends the connections, then gives the lock back."""
        self._transactions.close()
        self._lock.release()

    def publish_pending(self) -> None:
        """Publishes the registry if the last one stored is not out; else does nothing."""
        self._transactions.publish_pending()
