"""Clients' addresses: whose connection it is, and who is behind a proxy.

Connections of one worker are counted by address, so that nobody alone takes them all. A client
with IPv6 has a whole /64 to choose addresses from, so that counts as one. Proxies that are trusted
stand for many clients and have no bound but the worker's; they alone are believed when they name
the client in ``X-Forwarded-For``.
"""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from weir.domain.networks import parse_address

if TYPE_CHECKING:
    import asyncio

    from weir.domain.networks import Network

CLIENT_BITS = 64
"""The leading bits of an IPv6 address that name a client; it chooses those behind them."""


class Addresses:
    """How many connections each address has open."""

    __slots__ = ("_counts", "_most", "_trusted")

    def __init__(self, *, connections_max: int, trusted: tuple[Network, ...]) -> None:
        self._most = connections_max
        self._trusted = trusted
        self._counts: dict[str | int, int] = {}

    def enter(self, peer: str) -> bool:
        """Counts one more connection; False, and it is not, when its address has enough."""
        client = client_of(peer)
        count = self._counts.get(client, 0)
        if count >= self._most and not self._is_trusted(peer):
            return False
        self._counts[client] = count + 1
        return True

    def leave(self, peer: str) -> None:
        """The inverse of an ``enter`` that said yes."""
        client = client_of(peer)
        count = self._counts[client] - 1
        if count:
            self._counts[client] = count
        else:
            del self._counts[client]

    def _is_trusted(self, peer: str) -> bool:
        # A socket that has lost its client already has no address, and no time to do harm.
        return parse_address(peer) is None or _is_among(peer, self._trusted)


def client_behind(peer: str, forwarded: bytes, *, trusted: tuple[Network, ...]) -> str:
    """The address that a key's list of networks is compared with.

    The connection's own, unless it is a trusted proxy's. Then ``forwarded``, the addresses of
    ``X-Forwarded-For``, is read from its end, where each proxy adds whom it saw: the first that is
    no trusted proxy is the client, whatever is claimed before it. When all are trusted it is the
    first of them. Empty where there is no address, which is on nobody's list.
    """
    client = peer
    hops = [hop.strip() for hop in forwarded.decode("latin-1").split(",")]
    for hop in reversed([hop for hop in hops if hop]):
        if not _is_among(client, trusted):
            break
        client = _without_port(hop)
    return client if parse_address(client) else ""


def address_of(transport: asyncio.BaseTransport) -> str:
    """A client's address; empty when it has none, or has left already."""
    peer = transport.get_extra_info("peername")
    return peer[0] if isinstance(peer, tuple) else ""


def _is_among(text: str, networks: tuple[Network, ...]) -> bool:
    address = parse_address(text)
    return address is not None and any(address in network for network in networks)


def _without_port(hop: str) -> str:
    """Some proxies add the client's port: ``192.0.2.7:4711``, ``[2001:db8::1]:4711``."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def client_of(peer: str) -> str | int:
    """What counts as one client: an IPv4 address, or the network of an IPv6 one."""
    if ":" not in peer:
        return peer
    address = parse_address(peer.partition("%")[0])
    if isinstance(address, IPv6Address):
        return int(address) >> CLIENT_BITS
    return str(address)
