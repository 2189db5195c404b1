"""What ``weir doctor`` looks at outside the data directory."""

import ctypes
import os
import platform
import resource
import socket
import sys
from collections.abc import Iterator
from importlib.metadata import version
from urllib.parse import urlsplit

from weir import __version__
from weir.cli.doctor.findings import Finding, good, warning
from weir.node.listening import bind_failure
from weir.settings import MIB, Settings, worker_count
from weir.storage.sqlite import VERSION as SQLITE_VERSION
from weir.storage.sqlite import is_wal_safe

_CLOCK_UNSYNCHRONISED = 5
_TIMEX_BYTES = 512
_FILES_RESERVED = 128
_MEMORY_BESIDE_QUERIES = 512 * MIB


def look_at_machine(settings: Settings, *, own_url: str | None) -> Iterator[Finding]:
    """Findings about versions, the kernel, limits, the clock and the port.

    ``own_url`` is where the node of the directory runs, None when it does not.
    """
    yield good("versions", _versions())
    yield _sqlite()
    yield _kernel()
    yield _open_files(settings)
    yield _memory(settings)
    yield _clock()
    if settings.port:
        yield _port(settings, own_url)


def _versions() -> str:
    names = {"DuckDB": "duckdb", "Arrow": "pyarrow"}
    libraries = [f"{name} {version(package)}" for name, package in names.items()]
    return ", ".join([f"Weir {__version__}", f"Python {platform.python_version()}", *libraries])


def _sqlite() -> Finding:
    if not is_wal_safe():
        return good("SQLite", f"{SQLITE_VERSION}: with a rollback journal, not WAL")
    return good("SQLite", SQLITE_VERSION)


def _kernel() -> Finding:
    from weir.engine import landlock

    seen = f"{platform.system()} {platform.release()}"
    if sys.platform != "linux":
        return warning("kernel", seen, "Linux is the supported platform.")
    if not landlock.version():
        advice = (
            "Queries are kept from files by the engine alone; a kernel with Landlock adds to it."
        )
        return warning("kernel", f"{seen}, no Landlock", advice)
    return good("kernel", f"{seen}, Landlock {landlock.version()}")


def _open_files(settings: Settings) -> Finding:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    needed = settings.connections_max + _FILES_RESERVED
    if hard != resource.RLIM_INFINITY and hard < needed:
        advice = f"Raise it to {needed} (LimitNOFILE of systemd), or lower connections_max."
        return warning("open files", f"at most {hard} a process", advice)
    return good("open files", "no limit" if hard == resource.RLIM_INFINITY else f"at most {hard}")


def _memory(settings: Settings) -> Finding:
    total = os.sysconf("SC_PHYS_PAGES") * resource.getpagesize()
    cores = len(os.sched_getaffinity(0))
    queries = settings.query_workers * settings.query_memory_bytes
    seen = f"{total // MIB} MiB, {cores} cores, {worker_count(settings)} edge workers"
    if queries + settings.tail_bytes_max + _MEMORY_BESIDE_QUERIES > total:
        advice = (
            f"{settings.query_workers} queries may take {queries // MIB} MiB: lower query_workers"
            " or query_memory_bytes."
        )
        return warning("memory", seen, advice)
    return good("memory", seen)


def _clock() -> Finding:
    state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    if state == _CLOCK_UNSYNCHRONISED:
        advice = "Run chrony or systemd-timesyncd: events are timed and days are cut by this clock."
        return warning("clock", "the kernel says that it is not synchronised", advice)
    return good("clock", "synchronised" if state >= 0 else "the kernel does not tell")


def _port(settings: Settings, own_url: str | None) -> Finding:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    seen = f"{settings.host} port {settings.port}"
    if own_url and urlsplit(own_url).port == settings.port:
        return good("address", f"{seen} is in use by this node")
    try:
        socket.create_server((settings.host, settings.port), family=family).close()
    except OSError as error:
        advice = "Choose another --port or --host, or end what has it."
        return warning("address", f"{seen}: {bind_failure(error)}", advice)
    return good("address", f"{seen} is free")
