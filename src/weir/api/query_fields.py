"""The fields of ``/v1/query``, alike in a query string (all texts) and in a JSON body."""

import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from weir.errors import InvalidInput, Unprocessable
from weir.query.request import CONTENT_TYPES, ROWS_DEFAULT, Format, QueryRequest
from weir.settings import Settings

SQL_EXAMPLE: Final = "SELECT event, count() FROM events GROUP BY event LIMIT 10"


# Only described by these types: ``read_query`` takes numbers as texts too, as a URL has them.
class QueryFields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a query asks for."""

    q: Annotated[str, Meta(description=f"The SQL, for example: {SQL_EXAMPLE}")]
    format: Annotated[
        Format | msgspec.UnsetType,
        Meta(description="The form of the result; without it the `Accept` header decides."),
    ] = msgspec.UNSET
    limit: Annotated[
        int, Meta(description="Most rows of the result.", ge=1, le=Settings().query_rows_max)
    ] = ROWS_DEFAULT
    safe: Annotated[
        Literal[0, 1], Meta(description="1: CSV without what a sheet runs as formula.")
    ] = 0
    meta: Annotated[Literal[0, 1], Meta(description="1: NDJSON ends with a line of meta.")] = 0


_FORMATS_BY_TYPE = {
    content_type.partition(";")[0]: kind for kind, content_type in CONTENT_TYPES.items()
}
_FLAGS: Final[dict[object, bool]] = {
    **dict.fromkeys(("", "0", "false", 0, None), False),
    **dict.fromkeys(("1", "true", 1), True),
}
"""``False`` and ``True`` of JSON are equal to 0 and 1."""
_WHOLE: Final = re.compile(r"-?[0-9]{1,18}\Z")


def read_query(
    fields: Mapping[str, object], accept: str, *, tenant_id: int, rows_max: int
) -> QueryRequest:
    """The query that the fields ask for; ``accept`` is the header, used when no format is named.

    Raises ``InvalidInput`` for a field that is missing, unknown or cannot be read, and
    ``Unprocessable`` (``limit_out_of_range``).
    """
    for name in fields:
        if name not in QueryFields.__struct_fields__:
            known = ", ".join(QueryFields.__struct_fields__)
            raise InvalidInput(f"There is no field '{name[:60]}'.", hint=f"There are {known}.")
    return QueryRequest(
        tenant_id=tenant_id,
        sql=_sql(fields.get("q")),
        format=_format(fields.get("format"), accept),
        row_limit=_limit(fields.get("limit"), rows_max),
        safe=_flag("safe", fields.get("safe")),
        with_meta=_flag("meta", fields.get("meta")),
    )


def _sql(value: object) -> str:
    if value is None:
        raise InvalidInput("q is missing.", hint="It holds the SQL.")
    if not isinstance(value, str):
        raise InvalidInput("q must be a text, the SQL.")
    return value


def _limit(value: object, rows_max: int) -> int:
    if value is None:
        return ROWS_DEFAULT
    if isinstance(value, str) and _WHOLE.match(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidInput(f"limit must be a whole number from 1 to {rows_max}.")
    if not 1 <= value <= rows_max:
        message = f"must be from 1 to {rows_max}"
        raise Unprocessable(
            f"limit {message}.",
            code="limit_out_of_range",
            details=[{"field": "limit", "message": message}],
        )
    return value


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, str | int | None) or value not in _FLAGS:
        raise InvalidInput(f"{name} must be 0 or 1.")
    return _FLAGS[value]


def _format(named: object, accept: str) -> Format:
    """The named format, else the first that the client accepts by name, else JSON."""
    if named is not None and named != "":
        if isinstance(named, str) and named.lower() in list(Format):
            return Format(named.lower())
        known = ", ".join(Format)
        raise InvalidInput(f"format must be one of {known}.")
    for part in accept.split(","):
        kind = _FORMATS_BY_TYPE.get(part.partition(";")[0].strip().lower())
        if kind is not None:
            return kind
    return Format.JSON
