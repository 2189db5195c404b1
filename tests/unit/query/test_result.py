"""What is known of a result while its bytes come."""

import asyncio
from collections.abc import Sequence
from typing import cast

import msgspec
import pytest

from weir.errors import TimedOut, WeirError
from weir.query.job import Meta
from weir.query.request import Format
from weir.query.result import QueryResult
from weir.workers.running import RunningJob

META = Meta(elapsed_ms=1, rows=1, truncated=True, rows_scanned=2, bytes_scanned=3, watermark="now")


class ScriptedJob:
    """Hands out parts, an error among them; its word stands from the first call on."""

    def __init__(self, parts: Sequence[bytes | WeirError | None]) -> None:
        self.word: bytes | None = None
        self._parts = list(parts)

    async def next_part(self) -> bytes | None:
        self.word = msgspec.msgpack.encode(META)
        part = self._parts.pop(0)
        if isinstance(part, WeirError):
            raise part
        return part

    def finish(self, _result: str) -> None:
        """Nothing runs."""


def test_meta_stands_once_the_last_bytes_are_here() -> None:
    """Not before."""
    result = QueryResult(cast("RunningJob", ScriptedJob([b"last", None])), b"first", Format.CSV)
    assert result.meta is None
    assert asyncio.run(result.read()) == b"firstlast"
    assert result.meta == META


@pytest.mark.parametrize("form", [Format.NDJSON, Format.CSV])
def test_result_that_breaks_off_has_no_meta(form: Format) -> None:
    """Even when the worker had told it; NDJSON ends with a line that says why."""
    job = ScriptedJob([TimedOut("Too slow.", code="query_timeout")])
    result = QueryResult(cast("RunningJob", job), b"{}\n", form)

    async def read() -> list[bytes]:
        return [part async for part in result.body()]

    if form is Format.NDJSON:
        told = b'{"error":"query_timeout","message":"Too slow."}\n'
        assert asyncio.run(read()) == [b"{}\n", told]
    else:
        with pytest.raises(TimedOut):
            asyncio.run(read())
    assert result.meta is None
