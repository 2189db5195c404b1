"""The ways by which requests reach the door: plain HTTP, TLS, and through a pooling proxy."""

import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.contract.http.nginx import NGINX, running_nginx
from tests.unit.ingest.certificates import HAS_OPENSSL, make_certificate, trusting
from tests.unit.ingest.node import Node, running_node

WAYS = ("plain", "tls", "proxied")


@dataclass(frozen=True, slots=True)
class Way:
    """How clients of a node come to it."""

    name: str = "plain"
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What a node needs to be reached so."""
    security: ssl.SSLContext | None = None
    listener: socket.socket | None = None
    """Where the proxy looks for the node; open all the time, so that its port stays its own."""
    proxy: tuple[str, int] | None = None

    @contextmanager
    def node(self, root: Path, **options: Any) -> Iterator[Node]:
        """A node whose ``connect`` goes this way; ``options`` as in ``running_node``."""
        listener = self.listener.dup() if self.listener else None
        with running_node(root, listener=listener, **self.settings, **options) as node:
            node.security = self.security
            node.address = self.proxy or node.address
            yield node


PLAIN = Way()

unproxied = pytest.mark.parametrize("way", ["plain", "tls"], indirect=True)
"""For cases about when a client's bytes reach the door, which a proxy decides."""

MakeWay = Callable[[str], Way]


@contextmanager
def made_ways(directory: Path) -> Iterator[MakeWay]:
    """Makes ways by their names, each once: a certificate and a proxy for all cases."""
    made = {PLAIN.name: PLAIN}
    with ExitStack() as stack:

        def make(name: str) -> Way:
            if name not in made:
                made[name] = _tls(directory) if name == "tls" else _proxied(directory, stack)
            return made[name]

        yield make


def _tls(directory: Path) -> Way:
    if not HAS_OPENSSL:
        pytest.skip("needs openssl")
    make_certificate(directory, "door")
    files = {"tls_cert": str(directory / "cert.pem"), "tls_key": str(directory / "key.pem")}
    return Way("tls", files, security=trusting(directory))


def _proxied(directory: Path, stack: ExitStack) -> Way:
    if NGINX is None:
        pytest.skip("needs the package nginx-light")
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=512))
    upstream = listener.getsockname()
    proxy = stack.enter_context(running_nginx(directory, upstream, buffering="on"))
    return Way("proxied", listener=listener, proxy=proxy)
