"""The registry: who a credential is, and what it may do."""

import pytest

from weir.domain.frame import Place
from weir.domain.keys import Scope, digest_of, make_key
from weir.domain.registry import (
    Endpoint,
    Principal,
    Project,
    Registry,
    Tenant,
    admits_address,
    credential_of,
    decode_registry,
    encode_registry,
)
from weir.errors import Forbidden, Unauthenticated

KEY = make_key(public=False, live=True, random=bytes(range(24)))
OTHER = make_key(public=False, live=True, random=bytes(range(1, 25)))
NOW_US = 1_800_000_000_000_000


def _principal(**changes: object) -> Principal:
    values: dict[str, object] = {
        "key_id": 4,
        "public_id": "key_4",
        "tenant_id": 1,
        "project_id": 2,
        "endpoint_id": 3,
        "scopes": frozenset({"ingest"}),
        "slot": 0,
    }
    return Principal(**(values | changes))  # type: ignore[arg-type]  # any field, by name


def _registry(principal: Principal | None = None, *, active: bool = True) -> Registry:
    return Registry(
        epoch=7,
        keys={digest_of(KEY).hex(): principal or _principal()},
        projects={2: Project(project_id=2, tenant_id=1, slug="default", endpoint_id=3)},
        tenants={1: Tenant(tenant_id=1, slug="default", active=active)},
        endpoints={3: Endpoint(endpoint_id=3, project_id=2, public_id="e")},
    )


def test_known_key_gives_its_principal() -> None:
    """A key leads to the place its events go to."""
    principal = _registry().authenticate(KEY, now_us=NOW_US)
    assert principal.place == Place(tenant_id=1, project_id=2, endpoint_id=3, key_id=4)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (OTHER, "unknown or revoked"),
        (KEY[:-1] + ("a" if KEY[-1] != "a" else "b"), "mistyped"),
        ("x" * 513, "too long"),
        ("", "unknown"),
        ("\ud800" * 20, "unknown"),
    ],
)
def test_wrong_key_is_told_what_is_wrong(text: str, words: str) -> None:
    """A slip is told from an unknown key, and no text makes the lookup fail otherwise."""
    with pytest.raises(Unauthenticated, match=words):
        _registry().authenticate(text, now_us=NOW_US)


def test_key_expires_at_its_moment() -> None:
    """The last good moment is the one before the expiry."""
    registry = _registry(_principal(expires_at_us=NOW_US))
    registry.authenticate(KEY, now_us=NOW_US - 1)
    with pytest.raises(Unauthenticated, match="expired"):
        registry.authenticate(KEY, now_us=NOW_US)


def test_inactive_tenant_is_refused() -> None:
    """A good key of an inactive account is known and refused."""
    with pytest.raises(Forbidden) as caught:
        _registry(active=False).authenticate(KEY, now_us=NOW_US)
    assert caught.value.code == "tenant_inactive"


def test_missing_scope_is_refused_with_a_hint() -> None:
    """The refusal says how this key gets it, without showing the key."""
    principal = _principal()
    principal.require(Scope.INGEST)
    with pytest.raises(Forbidden) as caught:
        principal.require(Scope.QUERY)
    assert "weir keys change key_4 --scopes ingest,query" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("address", "admitted"),
    [
        ("192.0.2.7", True),
        ("192.0.2.8", False),
        ("198.51.100.200", True),
        ("::ffff:192.0.2.7", True),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("not an address", False),
    ],
)
def test_address_list_holds_addresses_and_networks(address: str, admitted: bool) -> None:
    """Exact addresses and networks admit; anything else, also nonsense, does not."""
    listed = _principal(networks=("192.0.2.7", "198.51.100.0/24", "2001:db8::/32"))
    assert admits_address(listed, address) is admitted
    assert admits_address(_principal(), address)


@pytest.mark.parametrize(
    ("authorization", "api_key", "found"),
    [
        ("Bearer abc", None, "abc"),
        ("bearer  abc ", "other", "abc"),
        ("Basic abc", "key", "key"),
        (None, " key ", "key"),
        ("Bearer ", "key", None),
        (None, None, None),
        (None, "", None),
    ],
)
def test_bearer_goes_before_api_key(
    authorization: str | None, api_key: str | None, found: str | None
) -> None:
    """The Authorization header decides when it is a Bearer one."""
    assert credential_of(authorization=authorization, api_key=api_key) == found


def test_registry_survives_its_encoding() -> None:
    """What control publishes is what the data plane reads."""
    registry = _registry(_principal(networks=("10.0.0.0/8",), expires_at_us=1))
    assert decode_registry(encode_registry(registry)) == registry
