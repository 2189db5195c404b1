"""The ledger as of now: what is committed, and what is in memory."""

import threading

from weir.loader.ports import Catalog
from weir.loader.serve.wire import LedgerReply, LedgerRequest
from weir.loader.tail.ledger import Counts, total_by_key
from weir.loader.tail.view import View


class LiveLedger:
    """Sums committed rows and those in flight. Any thread may ask.

    ``lock`` is held while rows move from memory into the catalog: none is counted twice.
    """

    __slots__ = ("_catalog", "_lock", "_view")

    def __init__(self, catalog: Catalog, view: View, lock: threading.Lock) -> None:
        self._catalog = catalog
        self._view = view
        self._lock = lock

    def counts(self, request: LedgerRequest) -> LedgerReply:
        """The counts of the keys and minutes that are asked for."""
        first, end, keys = request.from_minute, request.to_minute, request.key_ids
        counts = Counts()
        with self._lock:
            rows = self._catalog.ledger(key_ids=keys, from_minute=first, to_minute=end)
            counts.add_rows(rows)
            counts.add_rows(
                row
                for row in self._view.in_flight()
                if first <= row.minute < end and (keys is None or row.key_id in keys)
            )
        found = counts.rows()
        return LedgerReply(tuple(found if request.by == "minute" else total_by_key(found)))
