"""The canonical row: the columns of every lake file, every tail and the table ``events``.

``properties`` and ``context`` are JSON text exactly as sent. ``user_key`` is the low 64 bits,
signed, of the MD5 of a kind byte (``u`` or ``a``) and the UTF-8 of ``user_id``, else
``anonymous_id``; null without either. ``ts_source`` tells how ``ts`` was decided
(``domain/event_time.py``). Layout 0 has these columns and no accelerated ones.
"""

import pyarrow as pa

SCHEMA_VERSION = 1

_TIME = pa.timestamp("us", tz="UTC")

CANONICAL = pa.schema(
    [
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("event", pa.string(), nullable=False),
        pa.field("user_id", pa.string()),
        pa.field("anonymous_id", pa.string()),
        pa.field("session_id", pa.string()),
        pa.field("user_key", pa.int64()),
        pa.field("ts", _TIME, nullable=False),
        pa.field("client_ts", _TIME),
        pa.field("sent_at", _TIME),
        pa.field("received_at", _TIME, nullable=False),
        pa.field("ts_source", pa.string(), nullable=False),
        pa.field("seq", pa.int64(), nullable=False),
        pa.field("properties", pa.string(), nullable=False),
        pa.field("context", pa.string()),
        pa.field("endpoint", pa.string(), nullable=False),
        pa.field("dialect", pa.string(), nullable=False),
        pa.field("topic", pa.string()),
        pa.field("schema_version", pa.int32(), nullable=False),
    ]
)

SORT_KEY = ("event", "user_key", "ts", "client_ts", "seq")
"""Order of rows in a lake file."""
