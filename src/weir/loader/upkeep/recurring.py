"""Upkeep comes round: what has nothing to do, or failed, is looked at again after a while."""

from weir.errors import WeirError
from weir.loader.background import BackgroundWork
from weir.loader.ports import is_fenced
from weir.telemetry import Happening, emit


class Recurring:
    """A work of upkeep that gets a step every ``interval_s`` at least, whatever became of the last.

    A failure is logged under the work's ``name`` and holds nothing else up: the lake is whole
    without upkeep, and later is early enough. Only the ``Conflict`` of a loader that was
    replaced is raised.
    """

    __slots__ = ("_interval_s", "_is_closed", "_name", "work")

    def __init__(self, work: BackgroundWork, *, name: str, interval_s: float) -> None:
        self.work = work
        self._name = name
        self._interval_s = interval_s
        self._is_closed = False

    def step(self, now_s: float) -> float:
        """Does a step of the work; without a time of its own the next one is an interval away."""
        try:
            next_s = self.work.step(now_s)
        except Exception as error:  # whatever it is, later is early enough
            if is_fenced(error):
                raise
            if not self._is_closed:
                reason = error.code if isinstance(error, WeirError) else type(error).__name__
                emit(Happening.UPKEEP_FAILED, work=self._name, reason=reason)
            next_s = None
        return now_s + self._interval_s if next_s is None else next_s

    def close(self) -> None:
        """Closes the work; what fails because of that is not logged."""
        self._is_closed = True
        self.work.close()
