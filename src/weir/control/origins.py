"""Web origins as browsers send them: a key's list is compared with ``Origin`` byte by byte.

The serialisation of https://html.spec.whatwg.org/#ascii-serialisation-of-an-origin: scheme and host
in lower case, the host in ASCII, no default port.
"""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from unicodedata import normalize

ORIGIN_CHARS_MAX = 300
_PORTS = {"http": 80, "https": 443}
_NO_ORIGIN = frozenset({"about", "blob", "data", "file", "ftp", "javascript", "ws", "wss"})
"""Schemes of no page, or of pages whose origin a browser sends as ``null``
(url.spec.whatwg.org/#concept-url-origin). Schemes of extensions and apps are their own origins."""

_ORIGIN = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>\[[0-9a-f:.]+\]|[^/?#@\s,:\[\]\\]+)(?::(?P<port>[0-9]+))?"
)
_ASCII_HOST = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?")


def browser_origin(text: str) -> str:
    """The origin as a browser sends it. Raises ``ValueError`` in words that follow the field's name
    for what no browser sends, such as a wildcard or a path.
    """
    if "*" in text:
        raise ValueError(
            f"{text[:80]!r} has a wildcard, and none is known: give each origin in full"
        )
    found = _ORIGIN.fullmatch(text.lower())
    if found is None or len(text) > ORIGIN_CHARS_MAX:
        raise ValueError(f"{text[:80]!r} is not scheme://host or scheme://host:port")
    scheme, host, port = found.group("scheme", "host", "port")
    if scheme in _NO_ORIGIN:
        raise ValueError(
            f"{text[:80]!r} is the origin of no page: give one with https:// or http://"
        )
    if port is not None and not 1 <= int(port) <= 65535:
        raise ValueError(f"{text[:80]!r} has a port that is not 1 to 65535")
    shown = f"{scheme}://{_host(host, text)}"
    if port is None or int(port) == _PORTS.get(scheme):
        return shown
    return f"{shown}:{int(port)}"


def _host(host: str, text: str) -> str:
    try:
        if host.startswith("["):
            return f"[{IPv6Address(host[1:-1])}]"
        if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", host.removesuffix(".").rpartition(".")[2]):
            return str(IPv4Address(host))
    except AddressValueError as error:
        raise ValueError(f"{text[:80]!r} has an address that is none: {error}") from error
    name = host if host.isascii() else _in_ascii(host, text)
    if not _ASCII_HOST.fullmatch(name):
        raise ValueError(f"{text[:80]!r} has a host that no browser sends")
    return name


def _in_ascii(host: str, text: str) -> str:
    """Encodes by the rules of 2003, where browsers agree: not for 'ß', for example."""
    try:
        name = host.encode("idna").decode()
        is_same = name.encode().decode("idna") == normalize("NFC", host)
    except UnicodeError:
        is_same = False
    if not is_same:
        raise ValueError(
            f"{text[:80]!r} has a host that must be written as browsers send it, xn--…"
        )
    return name
