"""What control asks of its input before it opens anything: slugs, limits, keys."""

import re
from collections.abc import Mapping
from datetime import datetime
from ipaddress import ip_network

import msgspec

from weir.control.origins import browser_origin
from weir.control.records import KEY_LIMITS, LIMITS, KeyChange, KeyRequest, set_fields
from weir.domain.keys import KEY_CHARS_MAX, KEY_CHARS_MIN, Scope, is_public
from weir.domain.times import to_us
from weir.errors import InvalidInput

KEY_NAME_CHARS_MAX = 100
ALLOW_LIST_MAX = 100

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
        hint="Give 1 or more, or none for no limit.",
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
    _check_key_fields(msgspec.structs.asdict(request), now_us=now_us)
    check_scopes(request.scopes, public=request.public or is_public(text))


def check_key_change(change: KeyChange, *, now_us: int) -> None:
    """Raises ``InvalidInput`` for a change that no key could take, naming the field.

    What depends on the key itself is left to ``check_scopes``.
    """
    _check_key_fields(set_fields(change), now_us=now_us)
    if isinstance(change.scopes, tuple):
        check_scopes(change.scopes, public=False)


def check_scopes(scopes: tuple[Scope, ...], *, public: bool) -> None:
    """Raises ``InvalidInput`` for no scope at all, and for more than ingest of a public key."""
    if not scopes:
        raise _invalid("scopes", f"must name at least one of {', '.join(Scope)}")
    if public and set(scopes) != {Scope.INGEST}:
        raise _invalid("scopes", "must be 'ingest' alone for a public key: it is seen in browsers")


def _check_key_fields(fields: Mapping[str, object], *, now_us: int) -> None:
    """What is asked of a field whatever the key; one that is missing, or None, is good."""
    for field, value in fields.items():
        match field, value:
            case "name", str(name):
                _check_name(name)
            case "networks", tuple(networks):
                _check_networks(networks)
            case "origins", tuple(origins):
                _check_origins(origins)
            case "expires_at", datetime() as expires_at:
                _check_expiry(expires_at, now_us=now_us)
            case _, int(limit) if field in KEY_LIMITS:
                check_limit(limit, field=field)


def _check_name(name: str) -> None:
    if len(name) > KEY_NAME_CHARS_MAX or not name.isprintable():
        raise _invalid("name", f"must be at most {KEY_NAME_CHARS_MAX} printable characters")


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
        try:
            browser_origin(origin)
        except ValueError as error:
            raise _invalid("origins", str(error)) from error


def _check_expiry(expires_at: datetime, *, now_us: int) -> None:
    if expires_at.tzinfo is None:
        raise _invalid("expires_at", "must have a time zone, for example 2027-01-31T00:00:00Z")
    if to_us(expires_at) <= now_us:
        raise _invalid("expires_at", "must lie in the future")


def _invalid(field: str, message: str) -> InvalidInput:
    return InvalidInput(f"{field} {message}.", details=[{"field": field, "message": message}])
