"""The smuggling corpus through a proxy that keeps one connection for everybody."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.contract.http.nginx import NGINX, running_nginx
from tests.contract.http.smuggling import BODY, CLOSING, HARMLESS, INNER, INNER_BODY, REFUSED
from tests.unit.ingest.node import ELSEWHERE, HERE, INGEST, Node, running_node
from tests.unit.ingest.wire import Wire, request

pytestmark = pytest.mark.skipif(NGINX is None, reason="needs the package nginx-light")

CORPUS = {**REFUSED, **CLOSING, **{name: sent for name, (sent, _) in HARMLESS.items()}}
LAST = request("/livez", b"", "Connection: close", method="GET")

Proxied = tuple[Node, tuple[str, int]]


@pytest.fixture(scope="module", params=["on", "off"])
def proxied(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxied]:
    """A worker and the address of the nginx before it, with and without buffering of bodies."""
    directory = tmp_path_factory.mktemp("proxied")
    with (
        running_node(directory / "node") as node,
        running_nginx(directory, node.address, buffering=request.param) as address,
    ):
        yield node, address


@pytest.mark.parametrize("name", CORPUS)
def test_proxy_and_door_agree_on_where_a_request_ends(proxied: Proxied, name: str) -> None:
    """What the attacker is told was taken is what was taken, and the next client gets its own."""
    node, address = proxied
    before = len(node.bodies())
    told = _send(address, CORPUS[name] + INNER + LAST)
    taken = node.bodies()[before:]
    assert told.count(b"HTTP/1.1 202 ") == len(taken)
    assert set(taken) <= {BODY, INNER_BODY}
    for count in (3, 7):
        events = b",".join([b'{"event":"own"}'] * count)
        own = request("/v1/batch", b'{"events":[%s]}' % events, key=INGEST)
        with Wire.connect(address) as wire:
            answer = wire.ask(own)
        assert (answer.status, answer.json["events"]) == (202, count)


def test_proxy_tells_whom_it_saw_whatever_a_client_claims(tmp_path: Path) -> None:
    """A key for the client's network passes, one for the network that it claims does not."""
    with (
        running_node(tmp_path / "node", trusted_proxies="127.0.0.1") as node,
        running_nginx(tmp_path, node.address, buffering="on") as address,
        Wire.connect(address, source="127.0.0.9") as wire,
    ):
        claim = "X-Forwarded-For: 203.0.113.9"
        statuses = [
            wire.ask(request("/v1/ingest", BODY, *lines, key=key)).status
            for key in (HERE, ELSEWHERE)
            for lines in ((), (claim,))
        ]
    assert statuses == [202, 202, 403, 403]


def _send(address: tuple[str, int], words: bytes) -> bytes:
    """Everything that comes back until the proxy closes."""
    heard = []
    with Wire.connect(address) as wire, suppress(ConnectionError):
        wire.send(words)
        while part := wire.socket.recv(65536):
            heard.append(part)
    return b"".join(heard)
