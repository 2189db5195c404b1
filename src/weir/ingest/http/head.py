"""The head of a request: its line and its headers, parsed.

SDKs send the same bytes over and over on a connection, so the door remembers heads by their
bytes (``HeadMemory``): parsing is a function of them alone. Only plain ones are remembered: a
Content-Length, nothing chunked, no expectation, no upgrade, and the connection stays open.
"""

import re
from urllib.parse import parse_qs

import msgspec

_BACKFILL = re.compile(rb"[?&]lane=backfill(?:&|\Z)")

HEADS_MAX = 4096
HEAD_BYTES_MAX = 2048
"""Size of a head that is worth remembering; bounds the memory at 8 MiB and what is parsed."""


class Head(msgspec.Struct, frozen=True):
    """Method, target and headers (names in lower case, values of repeated ones joined)."""

    method: bytes
    target: bytes
    path: bytes
    """The target without its query."""
    headers: dict[bytes, bytes]
    is_old: bool = False
    """HTTP/1.0: no chunked answers, closed unless asked otherwise."""

    @property
    def content_length(self) -> int | None:
        """The declared size of the body; None when there is none or it is chunked."""
        length = self.headers.get(b"content-length")
        return None if length is None else int(length)

    @property
    def is_plain(self) -> bool:
        """Whether an equal head always means the same framing and goes on with the connection."""
        headers = self.headers
        return (
            not self.is_old
            and b"content-length" in headers
            and headers.keys().isdisjoint(_FRAMING_HEADERS)
        )


class Remembered(msgspec.Struct, frozen=True):
    """A head, and the size of the body that follows it."""

    head: Head
    body_bytes: int


class HeadMemory:
    """The head memory of a worker: parsed heads by their bytes; starts anew when it is full."""

    __slots__ = ("_heads",)

    def __init__(self) -> None:
        self._heads: dict[bytes, Remembered] = {}

    def recall(self, head_bytes: bytes) -> Remembered | None:
        """What these bytes were parsed to before, if they were."""
        return self._heads.get(head_bytes)

    def remember(self, head_bytes: bytes, head: Head) -> None:
        """Keeps a head for its next time when it is plain and small."""
        length = head.content_length
        if length is None or not head.is_plain or len(head_bytes) > HEAD_BYTES_MAX:
            return
        if len(self._heads) >= HEADS_MAX:
            self._heads.clear()
        self._heads[head_bytes] = Remembered(head, length)


def origin_form(target: bytes) -> bytes:
    """The path and query of a target that names the server too (``http://host/path``)."""
    if target.startswith(b"/") or b"://" not in target:
        return target
    _, slash, rest = target.partition(b"://")[2].partition(b"/")
    return slash + rest or b"/"


def wants_server_time(target: bytes) -> bool:
    """Whether an ingest target asks that every event has the server's time."""
    query = parse_qs(target.partition(b"?")[2].decode("latin-1"))
    return query.get("server_ts", ["0"])[-1] in ("1", "true")


def is_backfill(target: bytes) -> bool:
    """Whether an ingest target is of the backfill lane."""
    return _BACKFILL.search(target) is not None


def without_upgrade(head: Head) -> bytes:
    """The bytes of a head that asks for no other protocol and is else the same."""
    lines = [b"%s %s HTTP/1.%d" % (head.method, head.target, not head.is_old)]
    lines.extend(
        b"%s: %s" % (name, value)
        for name, value in head.headers.items()
        if name not in (b"upgrade", b"connection")
    )
    options = head.headers.get(b"connection", b"").lower()
    kept = [option for option in (b"close", b"keep-alive") if option in options]
    if kept:
        lines.append(b"connection: " + kept[0])
    return b"\r\n".join([*lines, b"", b""])


_FRAMING_HEADERS = frozenset({b"transfer-encoding", b"expect", b"upgrade", b"connection"})

NO_HEAD = Head(b"", b"", b"", {})
"""The head of a request that could not be read."""
