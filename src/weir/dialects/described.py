"""What the described operations of all dialects share."""

from weir.domain.described import Parameter

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
