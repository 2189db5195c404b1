"""Landlock: the kernel keeps a process from every file but those that it was given.

What holds when a query has run code of its own inside of the engine. The rules bind the calling
thread and the threads and processes that it starts later. Kernels before 5.13, and those that
were built or started without it, have no Landlock: then nothing is restricted here, and the
other layers stand alone. Source: Documentation/userspace-api/landlock.rst of the kernel.
"""

import ctypes
import os
import struct
from collections.abc import Iterable
from typing import Final

_CREATE_RULESET = 444
_ADD_RULE = 445
_RESTRICT_SELF = 446
_VERSION_ASKED = 1
_RULE_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38

_READ_FILE = 1 << 2

_FILES: Final = {1: 13, 2: 14, 3: 15, 5: 16}
"""From this version of the interface on, so many rights over files can be handled."""

_NETWORK_FROM = 4
_NETWORK = 0b11
"""Binding and connecting TCP sockets."""

_SCOPES_FROM = 6
_SCOPES = 0b11
"""Abstract UNIX sockets and signals of processes outside."""

_RULESET = struct.Struct("<QQQ")
_PATH_RULE = struct.Struct("<Qi")


def version() -> int:
    """Returns the kernel's version of the interface; 0 where there is none."""
    return max(0, _call(_CREATE_RULESET, None, 0, _VERSION_ASKED))


def restrict_to(files: Iterable[str]) -> bool:
    """Restricts this thread, for ever, to reading these files and opening nothing else.

    Descriptors that are open already stay usable. Whether the kernel does it; files that are
    not there are left out. Raises ``OSError`` when the kernel has it and refuses.
    """
    known = version()
    if not known:
        return False
    ruleset = _checked(_call(_CREATE_RULESET, *_attributes(known), 0))
    try:
        for path in files:
            _allow_reading(ruleset, path)
        ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        _checked(_call(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)
    return True


def _attributes(known: int) -> tuple[bytes, int]:
    rights = max(bits for since, bits in _FILES.items() if since <= known)
    network = _NETWORK if known >= _NETWORK_FROM else 0
    scopes = _SCOPES if known >= _SCOPES_FROM else 0
    size = 24 if scopes else 16 if network else 8
    return _RULESET.pack((1 << rights) - 1, network, scopes), size


def _allow_reading(ruleset: int, path: str) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        rule = _PATH_RULE.pack(_READ_FILE, descriptor)
        _checked(_call(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0))
    finally:
        os.close(descriptor)


def _call(number: int, *arguments: int | bytes | None) -> int:
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    given = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result: int = library.syscall(ctypes.c_long(number), *given)
    return result


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
