"""The first page: for a browser that Weir runs and where to read on, for a program the same."""

import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256

import httpx
import pytest
from starlette.applications import Starlette

from weir import __version__
from weir.api.app import build_app
from weir.api.pages import front_page
from weir.api.routes.description import front_routes

Call = Callable[..., httpx.Response]
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
DOCS = "https://docs.example/weir"


@pytest.fixture(scope="module")
def app() -> Starlette:
    """An app of the first page alone."""
    return build_app(front_routes(docs_url=DOCS))


def test_browser_gets_a_page_that_runs_nothing(app: Starlette, call: Call) -> None:
    """It names Weir and where to read on; the policy allows the page's own style alone."""
    reply = call(app, "GET", "/", headers=BROWSER)
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert "Weir runs here" in reply.text
    assert {"/readyz", "/openapi.json", DOCS} <= set(re.findall(r'href="([^"]+)"', reply.text))
    [style] = re.findall(r"<style>(.*?)</style>", reply.text, re.DOTALL)
    policy = reply.headers["content-security-policy"]
    assert f"'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'" in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"<script|<form|<img|<link|\son\w+=|\sstyle=|src=", reply.text)
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("accept", ["*/*", "application/json", ""])
def test_program_gets_json(app: Starlette, call: Call, accept: str) -> None:
    """As curl asks."""
    reply = call(app, "GET", "/", headers={"Accept": accept})
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["vary"] == "Accept"
    assert reply.json() == {
        "name": "weir",
        "version": __version__,
        "description": "/openapi.json",
        "ready": "/readyz",
        "documentation": DOCS,
    }


@pytest.mark.parametrize("path", ["/", "/nothing"])
@pytest.mark.parametrize("accept", [BROWSER["Accept"], "*/*"])
def test_head_is_told_what_get_is(app: Starlette, call: Call, path: str, accept: str) -> None:
    """The same status and headers."""
    headers = {"Accept": accept}
    asked, read = (call(app, method, path, headers=headers) for method in ("HEAD", "GET"))
    assert asked.status_code == read.status_code
    assert asked.headers == read.headers


def test_browser_at_a_path_that_is_none_is_led_back(app: Starlette, call: Call) -> None:
    """A 404 all the same; a program, and any other method, gets JSON."""
    reply = call(app, "GET", "/<script>", headers=BROWSER)
    assert reply.status_code == 404
    assert 'href="/"' in reply.text
    assert "<script" not in reply.text
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert call(app, "GET", "/nothing").json()["error"] == "not_found"
    assert call(app, "POST", "/nothing", headers=BROWSER).json()["error"] == "not_found"


@pytest.mark.parametrize(
    "docs_url", ['https://x.example/"><script>', "javascript:alert(1)", "http://h/openapi.json", ""]
)
def test_address_of_the_documentation_is_text(docs_url: str) -> None:
    """It is the operator's; what is no address of its own makes no link."""
    page = front_page(docs_url=docs_url)
    assert "<script" not in page
    assert "javascript:" not in page
    links = re.findall(r'href="(http[^"]+)"', page)
    assert len(links) == (1 if docs_url.startswith("https") else 0)
