"""The operator's commands over ``run/control.sock``: the control service as JSON routes.

Nobody authenticates here: the socket's file permissions (0600) say who may connect. Errors are
an ``errors.Failure``. Verbs run in threads, because they sync a disk.
"""

from collections.abc import Callable
from typing import Annotated, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weir.api.app import http_error_reply
from weir.api.replies import json_reply, operator_error_reply
from weir.api.shield import Shield
from weir.control.records import (
    KeyChange,
    KeyRequest,
    PlanChange,
    PlanRequest,
    ProjectRequest,
    TenantChange,
    TenantRequest,
)
from weir.control.service import ControlService
from weir.errors import InvalidInput, WeirError
from weir.tokens.claims import TTL_S_MAX

BODY_BYTES_MAX = 65536


class KeyImport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of ``POST /keys/import``."""

    text: str
    key: KeyRequest

    def __repr__(self) -> str:
        """Without the text."""
        return f"KeyImport(key={self.key!r})"


class TokenKeyRotation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of ``POST /token-keys/rotate``."""

    overlap_s: Annotated[int, msgspec.Meta(ge=0, le=TTL_S_MAX)]


Body = TypeVar("Body")
Verb = Callable[[Request, bytes], object]


def build_control_app(control: ControlService) -> Starlette:
    """The routes of plans, tenants, projects and keys over one open control service."""
    app = Starlette(
        routes=[
            _route("GET", "/tenants", lambda _request, _body: control.list_tenants()),
            _route(
                "POST",
                "/tenants",
                lambda _request, body: control.create_tenant(_decode(body, TenantRequest)),
            ),
            _route(
                "PATCH",
                "/tenants/{slug:path}",
                lambda request, body: control.change_tenant(
                    request.path_params["slug"], _decode(body, TenantChange)
                ),
            ),
            _route(
                "GET",
                "/projects",
                lambda request, _body: control.list_projects(
                    tenant=request.query_params.get("tenant")
                ),
            ),
            _route(
                "POST",
                "/projects",
                lambda _request, body: control.create_project(_decode(body, ProjectRequest)),
            ),
            *_plan_routes(control),
            *_key_routes(control),
            *_token_key_routes(control),
        ],
        middleware=[Middleware(Shield)],
        exception_handlers={WeirError: operator_error_reply, HTTPException: http_error_reply},
    )
    app.router.redirect_slashes = False
    return app


def _plan_routes(control: ControlService) -> list[Route]:
    return [
        _route("GET", "/plans", lambda _request, _body: control.list_plans()),
        _route(
            "POST",
            "/plans",
            lambda _request, body: control.create_plan(_decode(body, PlanRequest)),
        ),
        _route(
            "PATCH",
            "/plans/{slug:path}",
            lambda request, body: control.change_plan(
                request.path_params["slug"], _decode(body, PlanChange)
            ),
        ),
    ]


def _key_routes(control: ControlService) -> list[Route]:
    def import_key(_request: Request, body: bytes) -> object:
        asked = _decode(body, KeyImport)
        return control.import_key(asked.text, asked.key)

    def list_keys(request: Request, _body: bytes) -> object:
        query = request.query_params
        return control.list_keys(tenant=query.get("tenant"), project=query.get("project"))

    return [
        _route("GET", "/keys", list_keys),
        _route(
            "POST",
            "/keys",
            lambda _request, body: control.create_key(_decode(body, KeyRequest)),
        ),
        _route("POST", "/keys/import", import_key),
        _route(
            "PATCH",
            "/keys/{id:path}",
            lambda request, body: control.change_key(
                request.path_params["id"], _decode(body, KeyChange)
            ),
        ),
        _route(
            "POST",
            "/keys/{id:path}/revoke",
            lambda request, _body: control.revoke_key(request.path_params["id"]),
        ),
    ]


def _token_key_routes(control: ControlService) -> list[Route]:
    def rotate(_request: Request, body: bytes) -> object:
        asked = _decode(body, TokenKeyRotation)
        return control.rotate_token_keys(overlap_s=asked.overlap_s)

    return [
        _route("GET", "/token-keys", lambda _request, _body: control.list_token_keys()),
        _route("POST", "/token-keys/rotate", rotate),
    ]


def _route(method: str, path: str, verb: Verb) -> Route:
    async def answer(request: Request) -> Response:
        body = await _read_body(request)
        return json_reply(await run_in_threadpool(verb, request, body))

    return Route(path, answer, methods=[method])


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise InvalidInput(f"The request's body has more than {BODY_BYTES_MAX} bytes.")
    return bytes(body)


def _decode(body: bytes, kind: type[Body]) -> Body:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise InvalidInput(f"The request's body cannot be read: {error}.") from error
