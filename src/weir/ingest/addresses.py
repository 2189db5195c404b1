"""Connections of one worker by their clients' addresses, so that nobody alone takes them all.

A client with IPv6 has a whole /64 to choose addresses from, so that counts as one. Proxies that
are trusted stand for many clients and have no bound but the worker's.
"""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from weir.domain.networks import parse_address

if TYPE_CHECKING:
    import asyncio

    from weir.domain.networks import Network

CLIENT_BITS = 64
"""Of an IPv6 address: what follows them is the client's to choose."""


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
        address = parse_address(peer)
        # A socket that has lost its client already has no address, and no time to do harm.
        return address is None or any(address in network for network in self._trusted)


def address_of(transport: asyncio.BaseTransport) -> str:
    """A client's address; empty when it has none, or has left already."""
    peer = transport.get_extra_info("peername")
    return peer[0] if isinstance(peer, tuple) else ""


def client_of(peer: str) -> str | int:
    """What counts as one client: an IPv4 address, or the network of an IPv6 one."""
    if ":" not in peer:
        return peer
    address = parse_address(peer.partition("%")[0])
    if isinstance(address, IPv6Address):
        return int(address) >> CLIENT_BITS
    return str(address)
