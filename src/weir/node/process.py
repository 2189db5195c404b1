"""What every child process of a node does first: end with its parent, and heed its signals."""

import ctypes
import os
import resource
import signal
import sys
import threading

_PR_SET_PDEATHSIG = 1
EXIT_ORPHANED = 71


def end_with_parent(lifeline: int | None) -> None:
    """Makes this process die when its supervisor does, however that ends.

    ``lifeline`` is the read end of a pipe that only the supervisor holds open. On Linux the
    kernel also kills on the parent's death; the pipe covers the moment before that is set up,
    and other systems.
    """
    if lifeline is None:
        return
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_watch, args=(lifeline,), name="lifeline", daemon=True).start()


def _watch(lifeline: int) -> None:
    while os.read(lifeline, 1):
        pass
    os._exit(EXIT_ORPHANED)


def ignore_interrupts() -> None:
    """Ignores Ctrl-C, which reaches the whole group: the supervisor decides who ends when."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def raise_file_limit() -> int:
    """Raises the soft limit of open files to the hard one; returns how many may be open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else sys.maxsize
