"""A query's result on its way from the worker to whoever asked."""

from collections.abc import AsyncIterator

import msgspec

from weir.errors import WeirError
from weir.query.job import Meta
from weir.query.request import CONTENT_TYPES, Format
from weir.workers.running import RunningJob


class QueryResult:
    """A result whose first bytes are there. Whoever holds it calls ``finish``, read or not."""

    __slots__ = ("_first", "_format", "_is_broken", "_job")

    def __init__(self, job: RunningJob, first: bytes | None, form: Format) -> None:
        self._job = job
        self._first = first
        self._format = form
        self._is_broken = False

    @property
    def content_type(self) -> str:
        """The media type of the body."""
        return CONTENT_TYPES[self._format]

    @property
    def meta(self) -> Meta | None:
        """The trust of the whole result; None until its last bytes are here.

        It stands with the first bytes of a result that the worker sends in one part, else once
        ``body`` has ended. A result that broke off has none.
        """
        word = None if self._is_broken else self._job.word
        return None if word is None else msgspec.msgpack.decode(word, type=Meta)

    @property
    def deadline(self) -> float:
        """The time at which the query is ended, in the loop's time."""
        return self._job.deadline

    async def body(self) -> AsyncIterator[bytes]:
        """Yields the bytes, once.

        After the first ones NDJSON tells an error in a last line ``{"error", "message"}``; other
        formats raise the ``WeirError``.
        """
        try:
            part = self._first
            while part is not None:
                yield part
                part = await self._job.next_part()
        except WeirError as error:
            self._is_broken = True
            self._job.finish(error.code)
            if self._format is not Format.NDJSON:
                raise
            told = {"error": error.code, "message": str(error)}
            yield msgspec.json.encode(told) + b"\n"
        else:
            self._job.finish("ok")

    async def read(self) -> bytes:
        """Returns the whole body, for results that are known to be small, and finishes."""
        try:
            return b"".join([part async for part in self.body()])
        finally:
            self.finish()

    def finish(self) -> None:
        """Ends the worker if it still runs and frees its slot."""
        self._job.finish("aborted")
