"""What a worker process does to itself before it sees its job.

Limits that the kernel keeps hold where the engine's own do not. What a kernel or a container
does not permit is left out without failing: every layer is one of several, and the process's
parent kills at the deadline whatever happens here.
"""

import ctypes
import os
import resource
import signal
from collections.abc import Collection
from typing import Final

import msgspec

OPEN_FILES_MAX: Final = 1024

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000


class SandboxLimits(msgspec.Struct, frozen=True):
    """What a process may use: address space beyond what it has already, and CPU seconds."""

    memory_bytes: int
    cpu_s: int


def die_with_parent(parent: int) -> None:
    """Ends this process when its parent, of the given id, does; at once if it already has."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def enter(limits: SandboxLimits, *, keep: Collection[int]) -> None:
    """Gives up everything that a worker does not need; for ever, in a process with one thread.

    Descriptors other than ``keep`` are closed, 0 to 2 become /dev/null, the environment is
    emptied, the network is left, and memory, CPU time, files and privileges are bounded.
    """
    os.environ.clear()
    os.chdir("/")
    _close_all_but(keep)
    give_up_privileges()
    _prctl(_PR_SET_DUMPABLE, 0)
    _leave_network()
    _bound(resource.RLIMIT_CORE, 0)
    _bound(resource.RLIMIT_FSIZE, 0)
    _bound(resource.RLIMIT_NOFILE, OPEN_FILES_MAX)
    _bound(resource.RLIMIT_CPU, limits.cpu_s)
    _bound(resource.RLIMIT_AS, _address_space_bytes() + limits.memory_bytes)


def give_up_privileges() -> None:
    """Gives up that programs which this process starts could have more rights than it."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def forbid_processes() -> None:
    """Gives up new processes and threads; the kernel does not hold the real root to it."""
    _bound(resource.RLIMIT_NPROC, 0)


def _leave_network() -> None:
    """An empty network namespace, where the kernel lets an ordinary user make one."""
    ctypes.CDLL(None).unshare(_CLONE_NEWUSER | _CLONE_NEWNET)


def _close_all_but(keep: Collection[int]) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    start = 3
    for kept in sorted(keep):
        os.closerange(start, kept)
        start = kept + 1
    os.closerange(start, os.sysconf("SC_OPEN_MAX"))


def _bound(limit: int, value: int) -> None:
    hard = resource.getrlimit(limit)[1]
    bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(limit, (bound, bound))


def _address_space_bytes() -> int:
    with open("/proc/self/statm", "rb") as statm:  # noqa: PTH123  # no Path machinery in here
        return int(statm.read().split()[0]) * resource.getpagesize()


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
