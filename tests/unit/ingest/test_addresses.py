"""Connections by client address."""

import pytest

from weir.domain.networks import parse_networks
from weir.ingest.addresses import Addresses, client_of

TRUSTED = parse_networks("127.0.0.0/8, ::1 10.1.0.0/16")


def _addresses(connections_max: int = 2) -> Addresses:
    return Addresses(connections_max=connections_max, trusted=TRUSTED)


def test_an_address_has_its_share_and_no_more() -> None:
    """Others are not touched, and a connection that ends makes room for one."""
    addresses = _addresses()
    assert [addresses.enter("203.0.113.1") for _ in range(3)] == [True, True, False]
    assert addresses.enter("203.0.113.2")
    addresses.leave("203.0.113.1")
    assert addresses.enter("203.0.113.1")
    assert not addresses.enter("203.0.113.1")


def test_a_network_of_ipv6_counts_as_one_client() -> None:
    """Its owner can take any address of the /64."""
    addresses = _addresses()
    assert addresses.enter("2001:db8:1:2::1")
    assert addresses.enter("2001:db8:1:2:ffff::2")
    assert not addresses.enter("2001:db8:1:2::3")
    assert addresses.enter("2001:db8:1:3::1")


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "10.1.200.3", "::ffff:10.1.200.3", ""])
def test_trusted_proxies_have_no_bound(peer: str) -> None:
    """They stand for many clients; nor has a socket that has no address any more."""
    addresses = _addresses(1)
    assert all(addresses.enter(peer) for _ in range(100))


def test_ipv4_in_ipv6_clothes_is_the_same_client() -> None:
    """A listener of both families sees both forms."""
    assert client_of("::ffff:203.0.113.1") == client_of("203.0.113.1")
    assert client_of("fe80::1%eth0") == client_of("fe80::2")


def test_nothing_is_remembered_of_those_that_left() -> None:
    """Memory is bounded by the connections that are open."""
    addresses = _addresses()
    peers = [f"203.0.113.{number}" for number in range(200)]
    for peer in peers:
        addresses.enter(peer)
    for peer in peers:
        addresses.leave(peer)
    assert not addresses._counts
