"""Media types that say how the events of a body are written."""

NDJSON_TYPES = frozenset(
    {
        b"application/x-ndjson",
        b"application/ndjson",
        b"application/jsonl",
        b"application/x-jsonlines",
        b"application/jsonlines",
        b"application/json-lines",
    }
)


def is_ndjson(content_type: bytes | None) -> bool:
    """Whether a Content-Type says that every line of the body is a JSON text."""
    if content_type is None:
        return False
    return content_type.partition(b";")[0].strip().lower() in NDJSON_TYPES
