"""Who a relayed request acts for."""

from collections.abc import Callable

from starlette.requests import Request

from weir.clock import Clock
from weir.domain.registry import Principal, admits_address
from weir.errors import Forbidden, Unauthenticated
from weir.node.registry import RegistryView
from weir.tokens.memory import TokenMemory

ADDRESS_HEADER = "x-weir-client-address"
"""The client's address as the door saw it. The door strips it from what clients send."""

Authenticate = Callable[[Request], Principal]


def authenticator(registry: RegistryView, *, clock: Clock, docs_url: str) -> Authenticate:
    """A function that finds the principal of a request by its API key or access token.

    A key stands in ``Authorization: Bearer`` or ``X-API-Key``, a token in the former alone. It
    raises ``Unauthenticated`` without a good one, ``Forbidden`` for an inactive tenant or an
    address outside of the key's allow-list (which an absent address is), ``Unavailable`` before
    the first registry.
    """
    tokens = TokenMemory()

    def authenticate(request: Request) -> Principal:
        principal = tokens.find(
            registry.current(),
            authorization=request.headers.get("authorization"),
            api_key=request.headers.get("x-api-key"),
            now_us=clock.now_us(),
        )
        if principal is None:
            raise Unauthenticated(f"API key required. See {docs_url}")
        check_address(principal, request)
        return principal

    return authenticate


def check_address(principal: Principal, request: Request) -> None:
    """Raises ``Forbidden`` when the request comes from an address that the key may not have."""
    if not admits_address(principal, request.headers.get(ADDRESS_HEADER, "")):
        raise Forbidden("This API key may not be used from this address.")
