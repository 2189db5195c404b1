"""Who a request acts for: where the key stands, and when it is no good."""

from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.requests import Request

from weir.api.auth import Authenticate, authenticator
from weir.control.records import KeyRequest
from weir.control.service import ControlService
from weir.domain.times import to_us
from weir.errors import Forbidden, Unauthenticated, Unavailable
from weir.node.board import Board
from weir.node.directory import Directory
from weir.node.registry import RegistryView


def request(**headers: str) -> Request:
    """A request with headers; an underscore stands for a hyphen."""
    encoded = [
        (name.replace("_", "-").lower().encode(), value.encode("latin-1"))
        for name, value in headers.items()
    ]
    return Request({"type": "http", "headers": encoded})


@pytest.fixture
def authenticate(view: RegistryView, clock: Any) -> Authenticate:
    """As the api process uses it."""
    return authenticator(view, clock=clock, docs_url="https://docs.example")


def test_key_stands_in_either_header(service: ControlService, authenticate: Authenticate) -> None:
    """Bearer wins when both are there."""
    one, two = (service.keys.create(KeyRequest()) for _ in range(2))
    assert authenticate(request(authorization=f"Bearer {one.text}")).public_id == one.key.id
    assert authenticate(request(authorization=f"bearer  {one.text} ")).public_id == one.key.id
    assert authenticate(request(x_api_key=two.text)).public_id == two.key.id
    both = request(authorization=f"Bearer {one.text}", x_api_key=two.text)
    assert authenticate(both).public_id == one.key.id


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Bearer "}, {"authorization": "Basic eA=="}, {"x_api_key": " "}],
)
def test_missing_key_is_told_where_to_read(
    service: ControlService, authenticate: Authenticate, headers: dict[str, str]
) -> None:
    """With the address of the docs from the settings."""
    with pytest.raises(Unauthenticated) as caught:
        authenticate(request(**headers))
    assert str(caught.value) == "API key required. See https://docs.example"


@pytest.mark.parametrize("text", ["sk_live_unknown", "x" * 600, "\xff" * 20])
def test_unknown_key_is_refused_without_being_repeated(
    service: ControlService, authenticate: Authenticate, text: str
) -> None:
    """The error holds nothing of what was sent."""
    with pytest.raises(Unauthenticated) as caught:
        authenticate(request(x_api_key=text))
    assert text not in str(caught.value)


def test_revoked_and_expired_keys_are_refused(
    service: ControlService, authenticate: Authenticate, clock: Any
) -> None:
    """At once."""
    end = datetime(2026, 11, 21, tzinfo=UTC)
    revoked, expiring = (
        service.keys.create(KeyRequest()),
        service.keys.create(KeyRequest(expires_at=end)),
    )
    assert authenticate(request(x_api_key=expiring.text))
    service.keys.revoke(revoked.key.id)
    clock.us = to_us(end)
    for made in (revoked, expiring):
        with pytest.raises(Unauthenticated):
            authenticate(request(x_api_key=made.text))


def test_address_is_what_the_door_says(service: ControlService, authenticate: Authenticate) -> None:
    """A key with an allow-list is good from there alone, never from an address unknown."""
    text = service.keys.create(KeyRequest(networks=("10.0.0.0/8",))).text
    assert authenticate(request(x_api_key=text, x_weir_client_address="10.9.9.9"))
    for headers in ({"x_weir_client_address": "192.0.2.1"}, {"x_forwarded_for": "10.9.9.9"}, {}):
        with pytest.raises(Forbidden, match="address"):
            authenticate(request(x_api_key=text, **headers))


def test_node_without_a_registry_is_unavailable(
    directory: Directory, board: Board, clock: Any
) -> None:
    """A key that cannot be confirmed is not refused for good."""
    authenticate = authenticator(RegistryView(directory, board), clock=clock, docs_url="")
    with pytest.raises(Unavailable):
        authenticate(request(x_api_key="sk_live_anything"))
