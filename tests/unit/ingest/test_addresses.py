"""Connections by client address, and clients behind proxies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir.domain.networks import parse_networks
from weir.ingest.addresses import Addresses, client_behind, client_of

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


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.1", "", "203.0.113.1"),
        ("203.0.113.1", "198.51.100.9", "203.0.113.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "198.51.100.9", "198.51.100.9"),
        ("::ffff:10.1.0.1", "198.51.100.9", "198.51.100.9"),
        ("10.1.0.1", "192.0.2.66, 198.51.100.9", "198.51.100.9"),
        ("10.1.0.1", "192.0.2.66, 198.51.100.9,10.1.0.2 , 10.1.0.3", "198.51.100.9"),
        ("10.1.0.1", "10.1.0.7, 10.1.0.2", "10.1.0.7"),
        ("10.1.0.1", ",, 198.51.100.9 ,,", "198.51.100.9"),
        ("10.1.0.1", "198.51.100.9:4711", "198.51.100.9"),
        ("10.1.0.1", "[2001:db8::9]:4711", "2001:db8::9"),
        ("10.1.0.1", "[2001:db8::9]", "2001:db8::9"),
        ("10.1.0.1", "2001:db8::9", "2001:db8::9"),
        ("10.1.0.1", "198.51.100.9, unknown", ""),
        ("10.1.0.1", "198.51.100.9, \xff", ""),
        ("", "198.51.100.9", ""),
    ],
)
def test_client_behind_a_proxy_is_the_last_address_that_is_not_trusted(
    peer: str, forwarded: str, client: str
) -> None:
    """Only trusted proxies are believed; what is no address is nobody's."""
    assert client_behind(peer, forwarded.encode("latin-1"), trusted=TRUSTED) == client


@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_nobody_can_claim_an_address_through_a_trusted_proxy(claimed: str) -> None:
    """Whatever a client writes, the proxy adds whom it saw."""
    forwarded = f"{claimed}, 203.0.113.1".encode("latin-1")
    assert client_behind("10.1.0.1", forwarded, trusted=TRUSTED) == "203.0.113.1"
    assert client_behind("203.0.113.1", forwarded, trusted=TRUSTED) == "203.0.113.1"
