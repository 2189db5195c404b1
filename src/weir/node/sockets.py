"""Unix sockets whose path may be longer than the 107 bytes that the kernel takes."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

_PATH_BYTES_MAX = 107


def listen_unix(path: Path, *, backlog: int = 128) -> socket.socket:
    """A listening stream socket at ``path`` (0600), replacing a stale one."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    _with_address(path, listener.bind)
    path.chmod(0o600)
    listener.listen(backlog)
    return listener


def connect_unix(path: Path, *, timeout_s: float) -> socket.socket:
    """A connected stream socket; raises ``OSError`` when nobody listens."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout_s)
    try:
        _with_address(path, connection.connect)
    except OSError:
        connection.close()
        raise
    return connection


def _with_address(path: Path, use: Callable[[str], None]) -> None:
    text = str(path)
    if len(os.fsencode(text)) <= _PATH_BYTES_MAX:
        use(text)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        use(f"/proc/self/fd/{directory}/{path.name}")
    finally:
        os.close(directory)
