"""What every child process of a node does first: end with its parent, and heed its signals."""

import ctypes
import os
import resource
import signal
import sys
import threading

_PR_SET_PDEATHSIG = 1
EXIT_ORPHANED = 71

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
ARENAS_MAX = 2
MAPPED_BYTES_MIN = 1024 * 1024
"""Size from which a piece of memory is mapped by itself."""


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


def give_memory_back() -> None:
    """Has freed memory go back to the system rather than wait for the next use.

    The threads that begin later share two arenas, and large pieces are mapped one by one. Does
    nothing where the C library is not glibc.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(_M_ARENA_MAX, ARENAS_MAX)
        library.mallopt(_M_MMAP_THRESHOLD, MAPPED_BYTES_MIN)
        library.mallopt(_M_TRIM_THRESHOLD, MAPPED_BYTES_MIN)


def ignore_interrupts() -> None:
    """Ignores Ctrl-C, which reaches the whole group: the supervisor decides who ends when."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def raise_file_limit() -> int:
    """Raises the soft limit of open files to the hard one; returns how many may be open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else sys.maxsize
