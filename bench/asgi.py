"""An empty ASGI application under uvicorn: what a Python server costs that does nothing."""

import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

from bench.peers import SERVER_CPU, await_port, on_cpu

Message = MutableMapping[str, Any]

_ANSWER = b'{"accepted":true,"queued":1}'


async def application(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Reads the body and answers 200."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _ANSWER})


_HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_ANSWER))]


@contextmanager
def uvicorn() -> Iterator[str]:
    """The address of one uvicorn worker on ``SERVER_CPU``, with uvloop and httptools, no log."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log"]
    process = subprocess.Popen(
        [
            *on_cpu(SERVER_CPU),
            *(sys.executable, "-m", "uvicorn", "bench.asgi:application"),
            *("--port", str(port), "--log-level", "error", "--lifespan", "off", *options),
        ]
    )
    try:
        await_port(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)
