"""The listening socket: bound once by the supervisor, handed down to the edge workers."""

import os
import socket

from weir.errors import Conflict
from weir.settings import Settings

LISTEN_BACKLOG = 4096


def bind(host: str, port: int) -> socket.socket:
    """The listening socket; ``Conflict`` when the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=LISTEN_BACKLOG)
    except OSError as error:
        raise Conflict(
            f"Cannot listen on {host} port {port}: {bind_failure(error)}.",
            code="address_in_use",
            hint="Choose another --port (0 takes a free one) or --host.",
        ) from error


def bind_failure(error: OSError) -> str:
    """Returns the system's words alone: Python adds the address, which is there already."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror)


def adopt(descriptor: int) -> socket.socket:
    """The listening socket that the supervisor handed down."""
    return socket.socket(fileno=descriptor)


def url_of(listener: socket.socket, settings: Settings) -> str:
    """Where clients on this machine reach the door."""
    host = settings.host
    name = f"[{host}]" if ":" in host else host
    scheme = "https" if settings.tls_cert else "http"
    return f"{scheme}://{name}:{listener.getsockname()[1]}"
