"""One request over httpx: bytes out, an answer in, whatever happens."""

from __future__ import annotations

import encodings.idna  # noqa: F401  # sockets import it late, where a fork could cut it in two
import gzip
import time
from collections.abc import Callable
from typing import NamedTuple

import httpx

from weir_client.events import encode_batch
from weir_client.options import Options
from weir_client.verdicts import Answer, events_max, retry_after_s

ANSWER_BYTES_MAX = 8 * 1024 * 1024
_GZIP_LEVEL = 3
_PATH = "/v1/events"

MakeHttp = Callable[[], httpx.Client]


class Target(NamedTuple):
    """Where events go, and the key that says whose they are."""

    url: str
    key: str

    def __repr__(self) -> str:
        """Without the key, wherever it may be printed."""
        return f"Target({self.url})"


def find_target(url: str, key: str) -> Target:
    """The address of events on the node at ``url``; raises ``ValueError``, never with the key."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError):
        parsed = httpx.URL("")
    odd: object = parsed.userinfo or parsed.query or parsed.fragment
    odd = odd or parsed.path.rstrip("/").endswith(("/v1", _PATH))
    if parsed.scheme not in {"http", "https"} or not parsed.host or odd:
        raise ValueError(f"The url must be like https://weir.example.org, without {_PATH}")
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("The key must be printable ASCII, without spaces or line ends.")
    return Target(url.rstrip("/") + _PATH, key)


def post_events(
    http: httpx.Client, target: Target, events: list[bytes], options: Options
) -> Answer:
    """The node's answer; status 0 when there was none, or one too long.

    Each wait is bounded, not the number of waits: who wants an end closes ``http`` then.
    """
    body = encode_batch(events, time.time())
    headers = {"Authorization": f"Bearer {target.key}", "Content-Type": "application/json"}
    if len(body) >= options.gzip_bytes_min:
        body = gzip.compress(body, _GZIP_LEVEL)
        headers["Content-Encoding"] = "gzip"
    parts: list[bytes] = []
    try:
        with http.stream(
            "POST", target.url, content=body, headers=headers, timeout=options.request_timeout_s
        ) as reply:
            for part in reply.iter_bytes():
                parts.append(part)
                if sum(map(len, parts)) > ANSWER_BYTES_MAX:
                    return Answer(0, b"the answer does not end")
    except (httpx.HTTPError, OSError) as error:
        why = "it took too long" if http.is_closed else f"{type(error).__name__}: {error}"
        return Answer(0, f"no answer ({why})".encode())
    told = reply.headers.get
    asked_s = retry_after_s(told("retry-after", ""), now_s=time.time())
    window = (told("x-ratelimit-limit", ""), told("x-ratelimit-remaining", ""))
    fits = events_max(*window) if reply.status_code == 429 else 0
    return Answer(reply.status_code, b"".join(parts), asked_s, fits)
