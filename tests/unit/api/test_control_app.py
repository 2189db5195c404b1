"""The operator's routes: strict bodies, errors with hints."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from weir.api.control_app import BODY_BYTES_MAX, KeyImport, build_control_app
from weir.control.records import KeyRequest
from weir.control.service import ControlService

Call = Callable[..., httpx.Response]


@pytest.fixture
def app(service: ControlService) -> Starlette:
    """The app over an open service."""
    return build_control_app(service)


def test_errors_arrive_whole(app: Starlette, call: Call) -> None:
    """An operator's tool finds the hint apart from the words."""
    reply = call(app, "POST", "/keys/key_x/revoke")
    assert reply.status_code == 404
    told = {name: value for name, value in reply.json().items() if value}
    assert told == {
        "kind": "NotFound",
        "code": "key_not_found",
        "message": "There is no key 'key_x'.",
        "hint": "List the keys to see their ids; an id begins with key_.",
    }


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"scopes": "ingest"}', b'{"scopes": ["root"]}', b'{"slot": 3}', b"\xff"]
)
def test_body_that_is_no_request_is_refused(app: Starlette, call: Call, body: bytes) -> None:
    """Unknown fields too: a typo must not become a key without its limit."""
    reply = call(app, "POST", "/keys", content=body)
    assert (reply.status_code, reply.json()["code"]) == (400, "invalid_request")


def test_body_is_limited(app: Starlette, call: Call) -> None:
    """Nothing that an operator says is long."""
    reply = call(app, "POST", "/keys", content=b" " * (BODY_BYTES_MAX + 1))
    assert reply.status_code == 400
    assert str(BODY_BYTES_MAX) in reply.json()["message"]


def test_unknown_paths_and_methods_are_json(app: Starlette, call: Call) -> None:
    """The same as on the relayed app."""
    assert call(app, "GET", "/nothing").json()["error"] == "not_found"
    assert call(app, "DELETE", "/keys").headers["allow"] == "GET, HEAD, OPTIONS, POST"


def test_imported_text_is_not_shown(app: Starlette, call: Call) -> None:
    """Neither by the reply nor by a traceback."""
    text = "nm_live_0123456789"
    reply: Any = call(app, "POST", "/keys/import", json={"text": text, "key": {}})
    assert reply.status_code == 200
    assert text not in reply.text
    assert text not in repr(KeyImport(text=text, key=KeyRequest()))
