"""What is asked of the query side, in Weir's own words."""

from enum import StrEnum
from typing import Final

import msgspec


class Format(StrEnum):
    """The form in which a result is written."""

    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    ARROW = "arrow"
    PARQUET = "parquet"


CONTENT_TYPES: Final[dict[Format, str]] = {
    Format.JSON: "application/json",
    Format.NDJSON: "application/x-ndjson",
    Format.CSV: "text/csv; charset=utf-8",
    Format.ARROW: "application/vnd.apache.arrow.stream",
    Format.PARQUET: "application/vnd.apache.parquet",
}

ROWS_DEFAULT: Final = 1000

EVENTS: Final = "events"
"""The table of a project's events, as a statement names it."""

Parameter = str | int
"""The value of a ``$name`` in a statement of Weir's own."""


class QueryRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One tenant's query; ``row_limit`` is already within the node's limit."""

    tenant_id: int
    sql: str
    parameters: dict[str, Parameter] = {}
    """The values of the statement's ``$name``s; a tenant's statement has none of either."""
    format: Format = Format.JSON
    row_limit: int = ROWS_DEFAULT
    safe: bool = False
    """CSV: escape what a spreadsheet would run as a formula."""
    with_meta: bool = False
    """NDJSON: a last line with the meta."""
