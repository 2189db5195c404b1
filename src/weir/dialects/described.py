"""What an HTTP operation is described with: its parameters, bodies, replies and errors."""

from collections.abc import Mapping

import msgspec

OBJECT: Mapping[str, object] = {"type": "object"}
TEXT: Mapping[str, object] = {"type": "string"}
TIME: Mapping[str, object] = {"type": "string", "format": "date-time"}


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter in the query string or the path."""

    name: str
    words: str
    schema: Mapping[str, object] = msgspec.field(default_factory=lambda: TEXT)
    required: bool = False
    place: str = "query"
    """``query`` or ``path``."""


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """A body by examples.

    ``other_types`` are media types that may stand in its place, each with an example; "": none.
    """

    examples: Mapping[str, object]
    schema: Mapping[str, object] = msgspec.field(default_factory=lambda: OBJECT)
    media_type: str = "application/json"
    other_types: Mapping[str, str] = msgspec.field(default_factory=dict)


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path. ``scope`` is what the key needs; ``None``: no key."""

    method: str
    path: str
    name: str
    summary: str
    reply: Body
    reply_words: str
    scope: str | None = None
    status: int = 200
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    errors: tuple[int, ...] = ()
    refusals: Mapping[int, Body] = msgspec.field(default_factory=dict)
    """What errors answer in a dialect that has shapes of its own, by status."""
    error_schema: Mapping[str, object] | None = None
    """Of its other errors; ``None``: the node's own shape."""


INGEST_ERRORS = (400, 401, 403, 405, 408, 413, 415, 429, 431, 503)

URL_KEY = Parameter(
    name="api_key", words="An API key with no other scope than `ingest`, unless a header has one."
)

ON_INGEST = (
    Parameter(
        name="server_ts",
        words="`1`: every event has the server's time; the claimed one is kept beside it.",
        schema={"type": "string", "enum": ["1"]},
    ),
    Parameter(
        name="lane",
        words="`backfill`: taken only as fast as live traffic does not feel it, else 503.",
        schema={"type": "string", "enum": ["backfill"]},
    ),
)
"""What every ingest route takes."""
