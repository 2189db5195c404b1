"""The operator's verbs over ``run/control.sock``, as JSON routes.

Nobody authenticates here: the socket's file permissions (0600) say who may connect. Errors are
an ``errors.Failure``.
"""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from weir.api.app import http_error_reply
from weir.api.replies import operator_error_reply
from weir.api.routes.operator.table import VERBS
from weir.api.routing import verb_route
from weir.api.shield import Shield
from weir.control.service import ControlService
from weir.errors import WeirError


def build_control_app(control: ControlService) -> Starlette:
    """The routes of all verbs over one open control service."""
    app = Starlette(
        routes=[verb_route(verb, control) for verb in VERBS],
        middleware=[Middleware(Shield)],
        exception_handlers={WeirError: operator_error_reply, HTTPException: http_error_reply},
    )
    app.router.redirect_slashes = False
    return app
