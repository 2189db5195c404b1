"""What a lake commit tells of itself: the board, the metrics, the log, and whether all balances."""

from weir.lake.records import Commit
from weir.loader.tail.ledger import explained
from weir.loader.tail.view import View
from weir.node.board import Board, Slot
from weir.telemetry import COMMIT_SECONDS, LEDGER_BALANCE, OUTCOMES, Happening, emit

_FATES = ("stored", "duplicate", "dead_lettered", "quarantined", "lost")


class CommitReport:
    """Reports commits, and holds the ledger's sum against the journals' own counts."""

    __slots__ = ("_balance", "_board", "_explained", "_view")

    def __init__(self, board: Board, view: View, *, explained_before: int) -> None:
        self._board = board
        self._view = view
        self._explained = explained_before
        self._balance = 0
        board.set(Slot.COMMIT_ID, view.commit_id)
        self._check_balance()

    def tell(self, commit: Commit, *, elapsed_s: float) -> None:
        """Reports a commit that the view has taken over."""
        self._board.set(Slot.COMMIT_ID, commit.intent.commit_id)
        COMMIT_SECONDS.observe(elapsed_s)
        for fate in _FATES:
            # A replay takes dead letters back, and a counter only grows.
            OUTCOMES.labels(fate).inc(max(0, sum(getattr(row, fate) for row in commit.ledger)))
        emit(
            Happening.LAKE_COMMITTED,
            commit=commit.intent.commit_id,
            rows=commit.row_count,
            files=len(commit.files),
            bytes=sum(file.byte_count for file in commit.files),
            elapsed_ms=round(elapsed_s * 1000),
        )
        self._explained += explained(commit.ledger)
        self._check_balance()

    def _check_balance(self) -> None:
        """Compares the journals' own counts with the outcomes: two ways to the same number."""
        accepted = sum(mark.offset for mark in self._view.committed.values())
        balance = accepted - self._explained
        LEDGER_BALANCE.set(balance)
        if balance != self._balance:
            emit(Happening.LEDGER_UNBALANCED, balance=balance)
        self._balance = balance
