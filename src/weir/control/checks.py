"""What control asks of its input before it opens anything: slugs, limits, keys."""

import re
from collections.abc import Mapping
from datetime import datetime
from ipaddress import ip_network

from weir.control.records import LIMITS, KeyRequest, to_microseconds
from weir.domain.keys import KEY_CHARS_MAX, KEY_CHARS_MIN, Scope
from weir.errors import InvalidInput

KEY_NAME_CHARS_MAX = 100
ALLOW_LIST_MAX = 100

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#@\s,]{1,255}")
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SLUG_WORDS = "1 to 63 lower-case letters, digits and hyphens, no hyphen at either end"


def check_slug(slug: str) -> None:
    """Raises ``InvalidInput`` unless it is 1 to 63 of a-z, 0-9 and inner hyphens."""
    if _SLUG.fullmatch(slug):
        return
    raise InvalidInput(
        f"{slug[:80]!r} is not a slug.",
        code="invalid_slug",
        hint=f"Use {_SLUG_WORDS}.",
        details=[{"field": "slug", "message": f"must be {_SLUG_WORDS}"}],
    )


def check_limits(fields: Mapping[str, object]) -> None:
    """``check_limit`` of those among a request's fields that limit a plan or a tenant."""
    for field in LIMITS:
        limit = fields.get(field)
        if isinstance(limit, int):
            check_limit(limit, field=field)


def check_limit(limit: int | None, *, field: str) -> None:
    """Raises ``InvalidInput`` for a limit that is neither ``None`` nor 1 or more."""
    if limit is None or 1 <= limit < 2**63:
        return
    raise InvalidInput(
        f"{field} is {limit}, which is no limit.",
        hint="Give 1 or more, or leave it out for no limit.",
        details=[{"field": field, "message": "must be 1 or more"}],
    )


def check_key_text(text: str) -> None:
    """Raises ``InvalidInput`` for a text that cannot be an imported key."""
    printable = text.isascii() and text.isprintable() and " " not in text
    if printable and KEY_CHARS_MIN <= len(text) <= KEY_CHARS_MAX:
        return
    raise InvalidInput(
        "The text cannot be an API key.",
        code="invalid_key_text",
        hint=f"A key has {KEY_CHARS_MIN} to {KEY_CHARS_MAX} printable ASCII characters and no "
        "space.",
    )


def check_key_request(request: KeyRequest, *, text: str, now_us: int) -> None:
    """Raises ``InvalidInput`` with the field at fault in ``details``; ``text`` is the key's."""
    check_limit(request.requests_per_minute, field="requests_per_minute")
    check_limit(request.events_per_minute, field="events_per_minute")
    _check_scopes(request, text=text)
    _check_networks(request.networks)
    _check_origins(request.origins)
    if request.expires_at is not None:
        _check_expiry(request.expires_at, now_us=now_us)
    if len(request.name) > KEY_NAME_CHARS_MAX or not request.name.isprintable():
        raise _invalid("name", f"must be at most {KEY_NAME_CHARS_MAX} printable characters")


def _check_scopes(request: KeyRequest, *, text: str) -> None:
    if not request.scopes:
        raise _invalid("scopes", f"must name at least one of {', '.join(Scope)}")
    public = request.public or text.startswith("pk_")
    if public and set(request.scopes) != {Scope.INGEST}:
        raise _invalid("scopes", "must be 'ingest' alone for a public key: it is seen in browsers")


def _check_networks(networks: tuple[str, ...]) -> None:
    if len(networks) > ALLOW_LIST_MAX:
        raise _invalid("networks", f"must be at most {ALLOW_LIST_MAX}")
    for network in networks:
        try:
            ip_network(network)
        except ValueError as error:
            raise _invalid("networks", f"{error} (write 10.0.0.7 or 10.0.0.0/8)") from error


def _check_origins(origins: tuple[str, ...]) -> None:
    if len(origins) > ALLOW_LIST_MAX:
        raise _invalid("origins", f"must be at most {ALLOW_LIST_MAX}")
    for origin in origins:
        if not _ORIGIN.fullmatch(origin.lower()):
            raise _invalid("origins", f"{origin[:80]!r} is not scheme://host or scheme://host:port")


def _check_expiry(expires_at: datetime, *, now_us: int) -> None:
    if expires_at.tzinfo is None:
        raise _invalid("expires_at", "must have a time zone, for example 2027-01-31T00:00:00Z")
    if to_microseconds(expires_at) <= now_us:
        raise _invalid("expires_at", "must lie in the future")


def _invalid(field: str, message: str) -> InvalidInput:
    return InvalidInput(f"{field} {message}.", details=[{"field": field, "message": message}])
