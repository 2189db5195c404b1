"""Bodies that are small on the wire and without end inside, against a real worker's memory."""

import gzip
import struct
import sys
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.end_to_end.running_node import StartNode, memory_of
from weir.settings import MIB

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

GROWTH_BYTES_MAX = 64 * MIB
AT_ONCE = 3
BODY_BYTES = MIB // 4
"""On the wire: little, so that what counts is what it is inflated to."""

GZIP_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"


def _deflated(window_bits: int) -> bytes:
    """About 256 MiB of spaces: a flushed piece of a stream, over and over."""
    squeezer = zlib.compressobj(9, wbits=-15)
    piece = squeezer.compress(b" " * (4 * MIB)) + squeezer.flush(zlib.Z_FULL_FLUSH)
    stream = piece * (BODY_BYTES // len(piece)) + b"\x03\0"
    if window_bits == 31:
        return GZIP_HEAD + stream + struct.pack("<II", 0, 0)
    return b"\x78\xda" + stream if window_bits == 15 else stream


def _zstd(window_log: int) -> bytes:
    options = {int(zstd.CompressionParameter.window_log): window_log}
    squeezer = zstd.ZstdCompressor(options=options)
    parts = [squeezer.compress(b" " * MIB) for _ in range(256)]
    return b"".join([*parts, squeezer.flush()])


def _nested() -> bytes:
    return gzip.compress(_deflated(31))


BOMBS: dict[str, tuple[str, Callable[[], bytes], int]] = {
    "gzip": ("gzip", lambda: _deflated(31), 413),
    "gzip without a word": ("", lambda: _deflated(31), 413),
    "gzip of many members": ("gzip", lambda: gzip.compress(b" " * MIB) * 200, 413),
    "deflate": ("deflate", lambda: _deflated(15), 413),
    "raw deflate": ("deflate", lambda: _deflated(-15), 413),
    "zstd": ("zstd", lambda: _zstd(20), 413),
    "zstd with a huge window": ("zstd", lambda: _zstd(27), 400),
    "nested, one named": ("gzip", _nested, 400),
    "nested, both named": ("gzip, gzip", _nested, 415),
}


def test_bombs_cost_bounded_memory(start_node: StartNode) -> None:
    """Many at once, of every kind: each is refused, and the worker stays as small as it was."""
    node = start_node(workers=1)
    [worker] = node.pids("edge")
    for _ in range(20):
        assert node.send("/v1/ingest", {"event": "before"}).status_code == 202
    before = memory_of(worker, "VmRSS")
    with httpx.Client(base_url=node.url, headers=node.headers, timeout=60) as client:
        for name, (encoding, make, status) in BOMBS.items():
            bomb = make()
            headers = {"Content-Encoding": encoding} if encoding else {}

            def send(_: int, bomb: bytes = bomb, headers: dict[str, str] = headers) -> int:
                return client.post("/v1/events", content=bomb, headers=headers).status_code

            with ThreadPoolExecutor(AT_ONCE) as pool:
                assert set(pool.map(send, range(AT_ONCE))) == {status}, name
    assert node.send("/v1/ingest", {"event": "after"}).status_code == 202
    assert node.pids("edge") == [worker]
    assert memory_of(worker, "VmHWM") - before < GROWTH_BYTES_MAX
