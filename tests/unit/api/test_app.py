"""The app: errors in one shape, headers on every reply, nothing told that should not be."""

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Message

from weir.api.app import build_app
from weir.errors import InvalidInput, LimitExceeded, Unauthenticated

Call = Callable[..., httpx.Response]
SECRET = "the words of a client"


async def hello(_request: Request) -> Response:
    """Answers."""
    return PlainTextResponse("hello")


async def fail(_request: Request) -> Response:
    """A bug."""
    raise LookupError(SECRET)


async def leave(_request: Request) -> Response:
    """What reading a body does when the client is gone."""
    raise ClientDisconnect


async def break_off(_request: Request) -> Response:
    """A bug in the middle of a reply."""

    async def parts() -> AsyncIterator[bytes]:
        yield b"first"
        raise LookupError(SECRET)

    return StreamingResponse(parts())


async def refuse(request: Request) -> Response:
    """The errors that a route raises."""
    raise {
        "details": InvalidInput("Bad.", hint="Do better.", details=[{"field": "q"}]),
        "later": LimitExceeded("Too many.", retry_after_s=7),
        "who": Unauthenticated("API key required."),
    }[request.path_params["kind"]]


@pytest.fixture(scope="module")
def app() -> Starlette:
    """Two routes on one path, and each way of failing."""
    return build_app(
        [
            Route("/hello", hello, methods=["GET"]),
            Route("/hello", hello, methods=["PUT"]),
            Route("/fail", fail),
            Route("/leave", leave),
            Route("/break-off", break_off),
            Route("/refuse/{kind}", refuse),
        ]
    )


def test_unknown_path_is_a_json_404(app: Starlette, call: Call) -> None:
    """Also where a slash too many would lead elsewhere."""
    for path in ("/nothing", "/hello/", "//hello"):
        reply = call(app, "GET", path)
        assert reply.status_code == 404
        assert reply.json()["error"] == "not_found"


def test_wrong_method_is_told_every_right_one(app: Starlette, call: Call) -> None:
    """Allow holds the methods of all routes of the path."""
    reply = call(app, "DELETE", "/hello")
    assert reply.status_code == 405
    assert reply.headers["allow"] == "GET, HEAD, OPTIONS, PUT"
    assert reply.json() == {
        "error": "method_not_allowed",
        "message": "The path does not take this method.",
    }


def test_options_is_answered(app: Starlette, call: Call) -> None:
    """With the methods and no body; without CORS headers, which belong to ingest."""
    reply = call(app, "OPTIONS", "/hello", headers={"Origin": "https://app.example"})
    assert (reply.status_code, reply.content) == (204, b"")
    assert reply.headers["allow"] == "GET, HEAD, OPTIONS, PUT"
    assert "access-control-allow-origin" not in reply.headers
    assert call(app, "OPTIONS", "/nothing").status_code == 404


def test_head_is_a_get_without_its_body(app: Starlette, call: Call) -> None:
    """The length is the one that GET would have."""
    reply = call(app, "HEAD", "/hello")
    assert (reply.status_code, reply.headers["content-length"]) == (200, "5")


@pytest.mark.parametrize("path", ["/hello", "/nothing", "/fail", "/refuse/who", "/openapi.json"])
def test_every_reply_has_the_security_headers(app: Starlette, call: Call, path: str) -> None:
    """Success, refusal and failure alike."""
    headers = call(app, "GET", path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


def test_bug_is_a_500_without_details(
    app: Starlette, call: Call, capfd: pytest.CaptureFixture[str]
) -> None:
    """The log has the kind and the place of the error, not its words."""
    reply = call(app, "GET", "/fail")
    out, err = capfd.readouterr()
    assert reply.status_code == 500
    assert reply.json()["error"] == "internal"
    assert "LookupError" in out + err
    assert SECRET not in reply.text + out + err


def messages_of(app: Starlette, path: str) -> list[Message]:
    """What the app sends to its server for a GET."""
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""}
    asyncio.run(app(scope, receive, send))
    return sent


def test_bug_in_the_middle_breaks_the_reply_off(
    app: Starlette, capfd: pytest.CaptureFixture[str]
) -> None:
    """No second reply is written into the first, and no end that would make it look whole."""
    sent = messages_of(app, "/break-off")
    out, err = capfd.readouterr()
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[-1]["more_body"]
    assert "LookupError" in out + err


def test_client_that_left_is_no_failure(app: Starlette, capfd: pytest.CaptureFixture[str]) -> None:
    """Clients may hang up without making the log grow."""
    assert messages_of(app, "/leave") == []
    assert capfd.readouterr() == ("", "")


def test_errors_have_one_shape(app: Starlette, call: Call) -> None:
    """Code, words, details where there are some, and the headers of the status."""
    details = call(app, "GET", "/refuse/details")
    assert details.status_code == 400
    assert details.json() == {
        "error": "invalid_request",
        "message": "Bad. Do better.",
        "details": [{"field": "q"}],
    }
    later = call(app, "GET", "/refuse/later")
    assert (later.status_code, later.headers["retry-after"]) == (429, "7")
    who = call(app, "GET", "/refuse/who")
    assert (who.status_code, who.headers["www-authenticate"]) == (401, "Bearer")


def test_requests_leave_no_memory_behind(app: Starlette) -> None:
    """Thousands of requests, good and bad, hold nothing afterwards."""

    async def exchange(count: int) -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://weir") as client:
            for number in range(count):
                path = ("/hello", f"/nothing-{number}", "/refuse/details")[number % 3]
                await client.get(path)

    asyncio.run(exchange(300))
    tracemalloc.start()
    try:
        asyncio.run(exchange(300))
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        asyncio.run(exchange(1500))
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 100_000
