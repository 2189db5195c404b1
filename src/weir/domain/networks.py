"""Lists of networks as people write them."""

from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def parse_networks(text: str) -> tuple[Network, ...]:
    """Addresses and networks, separated by commas or spaces; ``ValueError`` names a wrong one."""
    return tuple(ip_network(word) for word in text.replace(",", " ").split())


def parse_address(text: str) -> Address | None:
    """A client's address, IPv4 in IPv6 clothes (``::ffff:…``) undressed; None when it is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or address
    return address
