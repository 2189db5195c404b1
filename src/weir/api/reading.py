"""A request becomes the Struct of its row, or an error that names every wrong field.

msgspec stops at the first field that is wrong; what it refuses is looked at again field by field.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Annotated, Any, Final, Protocol, get_args, get_origin

import msgspec
from starlette.requests import Request

from weir.api.operation import Asked, Operation, Reply
from weir.errors import InvalidInput, Unprocessable, WeirError
from weir.ingest.http.refusals import body_too_large

WRONG_FIELDS_MAX: Final = 100
"""How many wrong fields of a request are named."""
WORDS_CHARS_MAX: Final = 200


class ReadsItself(Protocol):
    """A type of a field that JSON has not, such as a time span written as text."""

    @classmethod
    def read(cls, value: object) -> object:
        """The value; raises ``ValueError`` in words that follow the field's name."""
        ...


async def read_body(request: Request, *, bytes_max: int) -> bytes:
    """Returns the whole body; raises ``BodyTooLarge`` once more than ``bytes_max`` came."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > bytes_max:
            raise body_too_large(bytes_max)
    return bytes(body)


async def read_request(request: Request, operation: Operation[Asked, Reply]) -> Asked:
    """Returns what a request asks for, as the Struct of its row.

    A body that is no JSON object is refused with 400, wrong fields with 422 and ``details`` that
    name each; where the row has only one of the two among its errors, with that one.
    """
    if not operation.request_fields:
        return msgspec.convert(None, operation.request)
    values: dict[str, Any] = {}
    if operation.has_body:
        body = await read_body(request, bytes_max=operation.body_bytes_max)
        values |= _decode(body, operation)
    elif not operation.in_path:
        values |= request.query_params
    wrong = dict.fromkeys(values.keys() & operation.path_names, "stands in the path")
    if wrong:
        raise _refused(wrong, operation)
    return _convert(values | request.path_params, operation)


def decode_object(body: bytes) -> dict[str, object]:
    """The fields of a JSON object; raises ``InvalidInput`` for anything else."""
    try:
        return msgspec.json.decode(body, type=dict[str, object])
    except msgspec.ValidationError:
        raise InvalidInput("The body must be a JSON object.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"The body is not valid JSON: {error}.") from None


def _decode(body: bytes, operation: Operation[Asked, Reply]) -> dict[str, object]:
    try:
        return decode_object(body)
    except InvalidInput:
        if 400 in operation.errors:
            raise
        raise _refused({"body": "must be a JSON object"}, operation) from None


def _convert(values: Mapping[str, object], operation: Operation[Asked, Reply]) -> Asked:
    # What stands in a URL is text, whatever it means.
    strict = operation.has_body
    try:
        return msgspec.convert(values, operation.request, strict=strict, dec_hook=_read_itself)
    except msgspec.ValidationError as error:
        found = _wrong_fields(operation.request, values, strict=strict)
        wrong = dict(islice(found, WRONG_FIELDS_MAX))
        raise _refused(wrong or {"body": str(error)}, operation) from None


def _refused(wrong: Mapping[str, str], operation: Operation[Asked, Reply]) -> WeirError:
    words = "; ".join(f"{field} {message}" for field, message in wrong.items())
    details: list[dict[str, object]] = [
        {"field": field, "message": message} for field, message in wrong.items()
    ]
    if 422 in operation.errors:
        return Unprocessable(f"{words}.", code="validation_failed", details=details)
    return InvalidInput(f"{words}.", details=details)


def _read_itself(kind: type[ReadsItself], value: object) -> object:
    return kind.read(value)


def _wrong_fields(
    kind: Any, values: Mapping[str, object], *, strict: bool, path: str = ""
) -> Iterator[tuple[str, str]]:
    """Every field of a Struct that is missing, unknown or not of its type, and what is wrong."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    if kind.__struct_config__.forbid_unknown_fields:
        for name in values.keys() - fields.keys():
            yield f"{path}{name[:60]}", "is not known here"
    for name, field in fields.items():
        if name not in values:
            if field.required:
                yield f"{path}{name}", "is required"
        elif _is_struct(field.type) and isinstance(values[name], Mapping):
            inner: Any = values[name]
            yield from _wrong_fields(field.type, inner, strict=strict, path=f"{path}{name}.")
        else:
            yield from _wrong_value(f"{path}{name}", values[name], field.type, strict=strict)


def _wrong_value(path: str, value: object, kind: Any, *, strict: bool) -> Iterator[tuple[str, str]]:
    try:
        msgspec.convert(value, kind, strict=strict, dec_hook=_read_itself)
    except msgspec.ValidationError as error:
        words, _, inside = str(error).partition(" - at `$")
        inside = inside.rstrip("`").replace("[", ".").replace("]", "")
        yield path + inside, _told(words, kind, inside)[:WORDS_CHARS_MAX]


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _told(words: str, kind: Any, inside: str) -> str:
    """What the value at a place inside of a field must be, in words that follow its name."""
    if get_origin(kind) is Annotated:
        told = [meta.extra["must"] for meta in get_args(kind)[1:] if meta.extra]
        if told:
            return f"must {told[0]}"
    if words.startswith(("Expected ", "Invalid enum value")):
        expected = _expected(msgspec.json.schema(kind), inside.split(".")[1:])
        return f"must be {' or '.join(dict.fromkeys(expected))}"
    return _WORDS.get(words, words)


_TYPES: Final = {
    "integer": "a whole number",
    "number": "a number",
    "string": "a text",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}

_WORDS: Final = {"Invalid RFC3339 encoded datetime": "must be an ISO 8601 time with its zone"}


def _expected(schema: Mapping[str, Any], inside: Sequence[str]) -> Iterator[str]:
    """What may stand at a place by a schema: types in words, and the values of enumerations."""
    definitions = schema.get("$defs", {})

    def told(part: Mapping[str, Any], steps: Sequence[str]) -> Iterator[str]:
        if "$ref" in part:
            yield from told(definitions[part["$ref"].rpartition("/")[2]], steps)
        elif "anyOf" in part:
            for each in part["anyOf"]:
                yield from told(each, steps)
        elif steps:
            yield from told(part.get("items", {}), steps[1:])
        elif "enum" in part:
            yield "one of " + ", ".join(map(str, part["enum"]))
        else:
            kind = str(part.get("type", "another value"))
            least = f" of at least {part['minimum']}" if "minimum" in part else ""
            most = f" of at most {part['maximum']}" if "maximum" in part else ""
            yield _TYPES.get(kind, kind) + least + most

    return told(schema, inside)
