"""Who a relayed request acts for."""

from collections.abc import Callable

from starlette.requests import Request

from weir.clock import Clock
from weir.domain.registry import Principal, admits_address, credential_of
from weir.errors import Forbidden, Unauthenticated
from weir.storage.registry import RegistryView

ADDRESS_HEADER = "x-weir-client-address"
"""The client's address as the door saw it. The door strips it from what clients send."""

Authenticate = Callable[[Request], Principal]


def authenticator(registry: RegistryView, *, clock: Clock, docs_url: str) -> Authenticate:
    """A function that finds the principal of a request by its API key.

    The key stands in ``Authorization: Bearer`` or ``X-API-Key``. It raises ``Unauthenticated``
    without a good key, ``Forbidden`` for an inactive tenant or an address outside of the key's
    allow-list (which an absent address is), ``Unavailable`` before the first registry.
    """

    def authenticate(request: Request) -> Principal:
        text = credential_of(
            authorization=request.headers.get("authorization"),
            api_key=request.headers.get("x-api-key"),
        )
        if text is None:
            raise Unauthenticated(f"API key required. See {docs_url}")
        principal = registry.current().authenticate(text, now_us=clock.now_us())
        if not admits_address(principal, request.headers.get(ADDRESS_HEADER, "")):
            raise Forbidden("This API key may not be used from this address.")
        return principal

    return authenticate
