"""How an answer of ``/v1/query`` ends, and what its end says: pure, from its last bytes.

Whether the limit left rows out stands in the header ``X-Weir-Truncated`` or in the trailer of that
name, and within the body in the ``meta`` of JSON and in the last line of NDJSON.
"""

from collections.abc import Iterator

import msgspec

END_BYTES = 65536
"""So much of an answer's end holds its meta or its trailers."""

TRUNCATED = "X-Weir-Truncated"

_META_IN_JSON = b'],"meta":'
"""Between the rows and the meta; within a text its quotes would be escaped."""


class _Meta(msgspec.Struct):
    truncated: bool


class Ending(msgspec.Struct):
    """The last line of NDJSON that was asked for with ``meta=1``."""

    meta: _Meta | None = None
    error: str = ""
    message: str = ""


class Lines:
    """The lines of NDJSON as its chunks come, without the last one, which tells how it ended."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        """Returns what is surely not of the last line."""
        held = self._held + chunk
        end = held.rfind(b"\n", 0, -1) + 1
        self._held = held[end:]
        return held[:end]

    def close(self) -> tuple[bytes, Ending]:
        """Returns the last line, if it is a row or an error, and what it says of the end."""
        line, self._held = self._held, b""
        try:
            ending = msgspec.json.decode(line, type=Ending)
        except msgspec.MsgspecError:
            return line, Ending()
        return (b"" if ending.meta else line), ending


def truncated_in_json(end: bytes) -> bool | None:
    """Whether rows were left out, by the last bytes of a JSON answer; None: they do not say."""
    try:
        return msgspec.json.decode(
            end.rpartition(_META_IN_JSON)[2].rstrip()[:-1], type=_Meta
        ).truncated
    except msgspec.MsgspecError:
        return None


def truncated_in_field(value: str | None) -> bool | None:
    """Whether rows were left out, by the header or the trailer; None: it is not there."""
    return {"true": True, "false": False}.get(value or "")


def trailer_in(end: bytes, name: str) -> str | None:
    """A trailer of a chunked answer, from its last bytes on the wire (RFC 9112, 7.1.2)."""
    for line in _trailer_lines(end):
        found, _, value = line.partition(b":")
        if found.decode("latin-1").lower() == name.lower():
            return value.strip().decode("latin-1")
    return None


def _trailer_lines(end: bytes) -> Iterator[bytes]:
    """The lines between the last chunk, whose size is 0, and the empty line at the end."""
    if not end.endswith(b"\r\n\r\n"):
        return
    for line in reversed(end[:-4].split(b"\r\n")):
        if line == b"0":
            return
        yield line
