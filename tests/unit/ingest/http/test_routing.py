"""Which route a request is for: by path, by host, and by Content-Type on the plain path."""

from collections.abc import Iterable

import pytest

from weir.dialects.edgemq.media_types import NDJSON_TYPES
from weir.dialects.port import IngestRoute
from weir.dialects.table import ROUTES
from weir.ingest.http.head import Head
from weir.ingest.http.routing import Routing


def _route(path: str) -> IngestRoute:
    return next(route for route in ROUTES if route.path == path)


KNOWN, ROOT = (_route(path) for path in ("/v1/events", "/"))
ENDPOINTS, TAKING = (route for route in ROUTES if route.dialect.name == "edgemq")
SHARED = next(route for route in ROUTES if route.path == "/ingest" and route.takes is None)
ALL = (KNOWN, ENDPOINTS, TAKING, SHARED)
UUID = b"11111111-1111-4111-8111-111111111111"


def _choose(
    path: bytes = b"/ingest",
    *,
    method: bytes = b"POST",
    domain: str = "example.org",
    routes: Iterable[IngestRoute] = ALL,
    **headers: bytes,
) -> tuple[IngestRoute | None, bytes]:
    named = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    return Routing(routes, domain=domain).choose(Head(method, path, path, named))


def test_routes_with_a_rule_of_their_own_are_not_found_by_path() -> None:
    """The template of a path is no path, and the shared one depends on more."""
    assert Routing(ALL, domain="").by_path == {b"/v1/events": KNOWN}


def test_endpoint_in_the_path_is_found() -> None:
    """Whatever stands between the two parts, but not nothing and not two parts."""
    assert _choose(b"/v1/endpoints/%s/ingest" % UUID) == (ENDPOINTS, UUID)
    assert _choose(b"/v1/endpoints/x%20y/ingest") == (ENDPOINTS, b"x%20y")
    for path in (b"/v1/endpoints//ingest", b"/v1/endpoints/ingest", b"/v1/endpoints/a/b/ingest"):
        assert _choose(path) == (None, b"")


@pytest.mark.parametrize(
    ("host", "endpoint"),
    [
        (UUID + b".ingest.example.org", UUID),
        (UUID.upper() + b".Ingest.EXAMPLE.org:8443", UUID),
        (UUID + b".ingest.example.org.", UUID),
        (b"a.b.ingest.example.org", b"a.b"),
        (b"ingest.example.org", b""),
        (UUID + b".ingest.example.com", b""),
        (UUID + b".xingest.example.org", b""),
        (b"", b""),
    ],
)
def test_endpoint_in_the_host_is_found(host: bytes, endpoint: bytes) -> None:
    """Case, port and a last dot do not matter; other hosts name no endpoint."""
    found = _choose(host=host, content_type=b"application/json")
    assert found == (TAKING if endpoint else SHARED, endpoint)


def test_without_a_domain_no_host_names_an_endpoint() -> None:
    """The setting is empty unless somebody has made the names."""
    assert _choose(domain="", host=UUID + b".ingest.example.org") == (SHARED, b"")


@pytest.mark.parametrize("media_type", sorted(NDJSON_TYPES))
def test_ndjson_on_the_plain_host_is_for_the_keys_endpoint(media_type: bytes) -> None:
    """By media type, whatever its case and parameters."""
    assert _choose(content_type=media_type) == (TAKING, b"")
    assert _choose(content_type=media_type.upper() + b" ; charset=utf-8") == (TAKING, b"")


@pytest.mark.parametrize("media_type", [b"", b"application/json", b"text/plain", b"x-ndjson"])
def test_other_types_on_the_plain_host_are_for_the_shared_route(media_type: bytes) -> None:
    """JSON, nothing, and what only looks like NDJSON."""
    assert _choose(content_type=media_type) == (SHARED, b"")
    assert _choose() == (SHARED, b"")


def test_plain_path_without_a_shared_route_is_not_ingest() -> None:
    """Unless it is NDJSON."""
    routes = (ENDPOINTS, TAKING)
    assert _choose(routes=routes) == (None, b"")
    ndjson = b"application/x-ndjson"
    assert _choose(routes=routes, content_type=ndjson) == (TAKING, b"")


@pytest.mark.parametrize("method", [b"POST", b"OPTIONS", b"GET", b"HEAD", b"PUT"])
def test_root_is_ingest_whatever_the_method(method: bytes) -> None:
    """The door tells which methods it takes."""
    assert _choose(b"/", method=method, routes=(ROOT,)) == (ROOT, b"")


@pytest.mark.parametrize(
    ("path", "route"),
    [
        (b"/v1/events/", KNOWN),
        (b"//v1///events//", KNOWN),
        (b"/ingest/", SHARED),
        (b"/v1/endpoints/%s/ingest/" % UUID, ENDPOINTS),
        (b"/v1/events", None),
        (b"/v1/endpoints/{id}/ingest", None),
        (b"/v1/event/", None),
        (b"/v1/query/", None),
        (b"//", None),
    ],
)
def test_path_with_too_many_slashes_tells_what_was_meant(path: bytes, route: object) -> None:
    """A route's own path is not one of them, and the root has a route only if there is one."""
    assert Routing(ALL, domain="").meant_by(path) is route


def test_other_paths_are_not_ingest() -> None:
    """Whatever their host and type."""
    host = UUID + b".ingest.example.org"
    for path in (b"/", b"/ingest/", b"/ingest/batch", b"/v1/endpoints/x", b"/v1/query"):
        assert _choose(path, host=host, content_type=b"application/x-ndjson") == (None, b"")
