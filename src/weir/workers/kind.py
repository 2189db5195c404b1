"""What one kind of worker is, told to code that does not know it."""

from collections.abc import Callable
from typing import NamedTuple

from weir.errors import WeirError
from weir.telemetry import Happening


class WorkerKind(NamedTuple):
    """The module that a kind's fork server runs, and what is said when a worker of it fails."""

    module: str
    """Started as ``python -I -m MODULE SETTINGS``; it calls ``zygote.serve_forks``."""
    killed: Happening
    """Logged when the deadline ends a job."""
    failed: Happening
    """Logged when a worker or the fork server ends by itself."""
    timed_out: Callable[[], WeirError]
    """Makes the error of a job that reached its deadline or its CPU time."""
    out_of_memory: Callable[[], WeirError]
    """Makes the error of a job that needed more memory than it may use."""
    broken: Callable[[], WeirError]
    """Makes the error of a job whose worker ended for any other reason."""
