"""A request is read once for all routes, and every field that is wrong is named."""

from typing import Annotated, Any, Literal, Self

import msgspec
import pytest
from starlette.requests import Request

from weir.api.operation import Operation
from weir.api.reading import read_request
from weir.control.records import KeyChange
from weir.domain.described import Body
from weir.domain.keys import Scope
from weir.errors import InvalidInput, Unprocessable, WeirError


class Span(int):
    """Seconds, written as a text that ends in s."""

    @classmethod
    def read(cls, value: object) -> Self:
        """The seconds."""
        if isinstance(value, str) and value.endswith("s"):
            return cls(value[:-1])
        raise ValueError("must be a time such as 90s")


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    """A Struct inside."""

    name: str
    scopes: tuple[Scope, ...] = ()


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """One field of each kind."""

    id: str
    count: Annotated[int, msgspec.Meta(ge=1)]
    inner: Inner
    span: Span | None = None
    mode: Literal["live", "test"] = "live"
    text: Annotated[str, msgspec.Meta(pattern="^a", extra={"must": "begin with a"})] = "a"


class Listed(msgspec.Struct):
    """What stands in a query string."""

    count: int = 0
    on: bool = False


def row(request: type[Any], **changes: Any) -> Operation[Any, None]:
    """A row that asks for a Struct."""
    told: dict[str, Any] = {"method": "POST", "path": "/things/{id}", "errors": (400, 413, 422)}
    return Operation(
        name="thing",
        summary="",
        reply=Body(),
        reply_words="",
        request=request,
        returns=type(None),
        **(told | changes),
    )


async def read(operation: Operation[Any, None], body: bytes, query: str = "") -> Any:
    """What a request for the thing 7 is read as; its body comes in pieces."""
    pieces = [body[:5], body[5:]]

    async def receive() -> dict[str, Any]:
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    scope = {"type": "http", "path_params": {"id": "7"} if "{" in operation.path else {}}
    return await read_request(Request(scope | {"query_string": query.encode()}, receive), operation)


async def refused(operation: Operation[Any, None], body: bytes, query: str = "") -> WeirError:
    """The error of a request."""
    with pytest.raises(WeirError) as caught:
        await read(operation, body, query)
    return caught.value


def run(coroutine: Any) -> Any:
    """The result of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as ended:
        return ended.value
    raise AssertionError


def test_path_and_body_make_one_value() -> None:
    """Names of the path stand in the path, the others in the body."""
    body = b'{"count": 2, "inner": {"name": "n", "scopes": ["query"]}, "span": "90s"}'
    asked = run(read(row(Asked), body))
    assert (asked.id, asked.count, asked.inner.scopes) == ("7", 2, (Scope.QUERY,))
    assert asked.span == 90


def test_every_wrong_field_is_named_in_words_that_follow_its_name() -> None:
    """Missing, unknown, of another type, out of bounds, inside another: all at once."""
    body = (
        b'{"inner": {"scopes": ["query", "root"], "x": 1}, "span": 90, "mode": "dead",'
        b' "text": "b", "y": 2}'
    )
    error = run(refused(row(Asked), body))
    assert isinstance(error, Unprocessable)
    assert error.code == "validation_failed"
    assert {item["field"]: item["message"] for item in error.details or ()} == {
        "y": "is not known here",
        "count": "is required",
        "inner.x": "is not known here",
        "inner.name": "is required",
        "inner.scopes.1": f"must be one of {', '.join(sorted(Scope))}",
        "span": "must be a time such as 90s",
        "mode": "must be one of live, test",
        "text": "must begin with a",
    }
    assert "count is required" in error.message


def test_wrong_type_is_told_in_words_and_not_in_types_of_a_language() -> None:
    """All that may stand there is named, and the bound of a number."""
    body = b'{"count": "2", "inner": 3}'
    error = run(refused(row(Asked), body))
    assert [item["message"] for item in error.details or ()] == [
        "must be a whole number of at least 1",
        "must be an object",
    ]
    error = run(refused(row(Asked), b'{"count": 0, "inner": {"name": ""}}'))
    assert error.details == [{"field": "count", "message": "must be a whole number of at least 1"}]
    error = run(refused(row(KeyChange), b'{"requests_per_minute": "plan", "expires_at": "soon"}'))
    assert error.details == [
        {"field": "expires_at", "message": "must be an ISO 8601 time with its zone"},
        {
            "field": "requests_per_minute",
            "message": "must be a whole number or one of tenant or null",
        },
    ]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"a"', b"\xff", b"[" * 10000])
def test_what_is_no_json_object_has_no_fields(body: bytes) -> None:
    """400; 422 of the field ``body`` where the row has no 400."""
    assert isinstance(run(refused(row(Asked), body)), InvalidInput)
    error = run(refused(row(Asked, errors=(413, 422)), body))
    assert isinstance(error, Unprocessable)
    assert error.details == [{"field": "body", "message": "must be a JSON object"}]


def test_name_of_the_path_is_refused_in_the_body() -> None:
    """The two could say different things."""
    error = run(refused(row(Asked), b'{"id": "8", "count": 1, "inner": {"name": ""}}'))
    assert error.details == [{"field": "id", "message": "stands in the path"}]


def test_body_is_bounded() -> None:
    """What is too long is not read to its end."""
    error = run(refused(row(Asked, body_bytes_max=9), b"x" * 10))
    assert error.status == 413


def test_query_string_is_text_whatever_it_means() -> None:
    """Numbers and flags are read from it; names that nobody knows are left."""
    listing = row(Listed, method="GET", path="/things", errors=(400,))
    assert run(read(listing, b"", "count=3&on=true&page=2")) == Listed(count=3, on=True)
    assert run(read(listing, b"")) == Listed()
    error = run(refused(listing, b"", "count=many"))
    assert isinstance(error, InvalidInput)
    assert [item["field"] for item in error.details or ()] == ["count"]


def test_nothing_is_asked_of_a_row_without_a_request() -> None:
    """Its body is not even read."""
    assert run(read(row(type(None), path="/things"), b"whatever")) is None
