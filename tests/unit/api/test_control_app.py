"""The operator's routes: strict bodies, errors with hints."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from weir.api.control_app import build_control_app
from weir.api.operation import BODY_BYTES_MAX
from weir.control.records import KeyImport, KeyRequest
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
        "error": "key_not_found",
        "kind": "NotFound",
        "code": "key_not_found",
        "message": "There is no key 'key_x'.",
        "hint": "List the keys to see their ids; an id begins with key_.",
    }


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff"])
def test_body_that_is_no_object_is_refused(app: Starlette, call: Call, body: bytes) -> None:
    """An empty one too: a verb that takes a body gets one."""
    reply = call(app, "POST", "/keys", content=body)
    assert (reply.status_code, reply.json()["code"]) == (400, "invalid_request")


def test_every_wrong_field_of_a_verb_is_named(app: Starlette, call: Call) -> None:
    """Unknown fields too: a typo must not become a key without its limit."""
    reply = call(app, "POST", "/keys", json={"scopes": "ingest", "slot": 3, "name": None})
    assert (reply.status_code, reply.json()["code"]) == (422, "validation_failed")
    assert {item["field"] for item in reply.json()["details"]} == {"scopes", "slot", "name"}


def test_field_of_the_path_does_not_stand_in_the_body(app: Starlette, call: Call) -> None:
    """Two names for one thing could differ."""
    reply = call(app, "PATCH", "/plans/default", json={"slug": "other", "events_per_month": 1})
    assert (reply.status_code, reply.json()["code"]) == (422, "validation_failed")
    assert [item["field"] for item in reply.json()["details"]] == ["slug"]


def test_unknown_parameter_of_a_list_is_ignored(app: Starlette, call: Call) -> None:
    """A query string may hold more than a verb knows."""
    assert len(call(app, "GET", "/keys?tenant=default&page=2").json()) == 2


def test_body_is_limited(app: Starlette, call: Call) -> None:
    """Nothing that an operator says is long."""
    reply = call(app, "POST", "/keys", content=b" " * (BODY_BYTES_MAX + 1))
    assert reply.status_code == 413
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
