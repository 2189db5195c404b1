"""``GET /weir.js``: the client for web pages, for pages of any origin, cached for an hour."""

import gzip
import hashlib
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weir.api.routing import route
from weir.domain.described import TEXT, Body, DescribedOperation

CACHE_S = 3600

SCRIPT = DescribedOperation(
    method="GET",
    path="/weir.js",
    name="browser_client",
    summary="The client for web pages, for pages of any origin.",
    reply_words="The script; 304 when the one that the client has is still this one.",
    reply=Body(examples={}, schema=TEXT, media_type="text/javascript"),
)


def served(source: str) -> str:
    """The script without indentation and lines of comments, which are a fifth of it.

    No text of it goes over several lines.
    """
    lines = [line.strip() for line in source.splitlines()]
    return "\n".join(line for line in lines if line and not line.startswith("//")) + "\n"


def script_routes() -> list[Route]:
    """The route of the script. It has no secrets, and needs no key."""
    plain = served(files("weir.browser").joinpath("weir.js").read_text()).encode()
    packed = gzip.compress(plain, mtime=0)
    tag = f'"{hashlib.sha256(plain).hexdigest()[:16]}"'
    headers = {
        "Access-Control-Allow-Origin": "*",
        "Cache-Control": f"public, max-age={CACHE_S}",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "ETag": f"W/{tag}",
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
    }

    async def show_script(request: Request) -> Response:
        if tag in request.headers.get("If-None-Match", ""):
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            encoded = headers | {"Content-Encoding": "gzip"}
            return Response(packed, headers=encoded, media_type="text/javascript")
        return Response(plain, headers=headers, media_type="text/javascript")

    return [route(SCRIPT, show_script)]
