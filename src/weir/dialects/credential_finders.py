"""Where a credential may stand in a request: what a route's ``credentials`` are made of.

A route's finders are tried in their order. The first that finds something decides, even when that
is of no use. Pure: headers, target and body in, the credential's text out. Sources: RFC 6750
section 2.1 (Bearer), docs/guide/keys.md.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import parse_qs

Headers = Mapping[bytes, bytes]
"""By name in lower case."""


@dataclass(frozen=True, slots=True, eq=False)
class InHead:
    """A credential in a request's headers or target."""

    find: Callable[[Headers, bytes], bytes | None]
    """The credential's text by headers and target; None: there is none, the next finder decides."""
    is_public: bool = False
    """Others see it there (histories, logs of proxies): its key may have no scope but ingest."""
    takes_tokens: bool = False
    """Whether an access token may stand there too."""


@dataclass(frozen=True, slots=True, eq=False)
class InBody:
    """A key in a request's body, where others may see it too: it may have no scope but ingest."""

    find: Callable[[bytes], str | None]
    """The key's text by the inflated body; None: there is none, the next finder decides."""


CredentialFinder = InHead | InBody


def _bearer(headers: Headers, _target: bytes) -> bytes | None:
    authorization = headers.get(b"authorization")
    if authorization is None or authorization[:7].lower() != b"bearer ":
        return None
    return authorization[7:].strip()


def _api_key(headers: Headers, _target: bytes) -> bytes | None:
    return headers.get(b"x-api-key", b"").strip() or None


def _parameter(name: str, _headers: Headers, target: bytes) -> bytes | None:
    query = target.partition(b"?")[2].decode("latin-1")
    return parse_qs(query).get(name, [""])[-1].strip().encode() or None


BEARER = InHead(_bearer, takes_tokens=True)
"""``Authorization: Bearer``, for keys and access tokens."""

API_KEY = InHead(_api_key)
"""``X-API-Key``."""

ANY_ROUTE = (BEARER, API_KEY)
"""What every route takes."""


def query_parameter(name: str) -> InHead:
    """The last value of a parameter of the query string."""
    return InHead(partial(_parameter, name), is_public=True)
