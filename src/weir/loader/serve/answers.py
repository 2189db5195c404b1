"""What the loader answers: snapshots, the ledger, traces, its status, cuts, replays.

Every answer may come from any thread, beside the one that reads and the one that commits.
"""

from weir.errors import Unavailable
from weir.loader.commit.demand import Demand
from weir.loader.read.rounds import RoundReader
from weir.loader.serve.live_ledger import LiveLedger
from weir.loader.serve.trace import Tracer
from weir.loader.serve.wire import (
    HoldRequest,
    LedgerReply,
    LedgerRequest,
    ReplayReply,
    ReplayRequest,
    Status,
    TraceReply,
    TraceRequest,
)
from weir.loader.tail.replay_queue import ReplayQueue
from weir.loader.tail.view import View
from weir.loader.upkeep.hold import RemovalHold
from weir.loader.values import SharedSnapshot

CUT_ANSWER_S = 55.0
"""How long a demanded cut is waited for."""


class Answers:
    """The answers of one running loader."""

    __slots__ = ("_demand", "_hold", "_ledger", "_reader", "_replays", "_tracer", "_view")

    def __init__(
        self,
        *,
        view: View,
        reader: RoundReader,
        ledger: LiveLedger,
        tracer: Tracer,
        replays: ReplayQueue,
        demand: Demand,
        hold: RemovalHold,
    ) -> None:
        self._view = view
        self._reader = reader
        self._ledger = ledger
        self._tracer = tracer
        self._replays = replays
        self._demand = demand
        self._hold = hold

    def snapshot(self, project_id: int) -> SharedSnapshot:
        """Files and tail of one project at one moment."""
        return self._view.snapshot(project_id)

    def ledger(self, request: LedgerRequest) -> LedgerReply:
        """Counts, those in flight included."""
        return self._ledger.counts(request)

    def status(self) -> Status:
        """How the loader stands."""
        view = self._view
        return Status(
            commit_id=view.commit_id,
            committed_at_us=view.committed_at_us,
            watermark_us=view.watermark_us,
            tail_bytes=view.byte_count,
            backlog_bytes=self._reader.backlog_bytes(view.committed),
            journals=dict(view.committed),
        )

    def trace(self, request: TraceRequest) -> TraceReply:
        """The copies of an event that are kept."""
        return self._tracer.trace(request)

    def cut(self) -> Status:
        """Returns when everything durable now is in the lake; raises ``Unavailable``."""
        if not self._demand.wait(self._demand.ask(), timeout_s=CUT_ANSWER_S):
            raise Unavailable("The lake commit was not done in time.", retry_after_s=1)
        return self.status()

    def hold(self, request: HoldRequest) -> Status:
        """Nothing is removed for so long: somebody copies the node's files."""
        self._hold.extend(request.lease_s)
        return self.status()

    def replay(self, request: ReplayRequest) -> ReplayReply:
        """Dead letters go through decode again; those that became rows are in the lake.

        Raises ``Unavailable`` when that takes too long; then they may be all the same, and asking
        again does no harm.
        """
        fates = self._replays.ask(request.project_id, request.places)
        if any(fate.reason is None for fate in fates):
            self.cut()
        return ReplayReply(tuple(fates))
