"""``GET /v1/events/{event_id}/trace``: the story of one event.

It looks at the credential's project alone. A query tells whether the
event is stored, the loader every time it was sent, as far as raw payloads are kept.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final, NamedTuple, Protocol

import msgspec
from starlette.routing import Route

from weir.api.auth import Authenticate
from weir.api.operation import Operation
from weir.api.routing import keyed_route
from weir.dialects.fields import EVENT_ID_CHARS_MAX
from weir.domain.described import Body
from weir.domain.keys import Scope
from weir.domain.outcome import Outcome
from weir.domain.registry import Principal
from weir.domain.snapshot import LakeFile
from weir.domain.times import to_datetime, to_iso
from weir.errors import NotFound
from weir.loader.serve.wire import Copy, TraceReply
from weir.query.ask import SnapshotSource, ask
from weir.query.pool import QueryPool
from weir.query.request import QueryRequest

_STORED: Final = "SELECT epoch_us(received_at) FROM events WHERE event_id = $event_id ORDER BY 1"

KeyNames = Callable[[int], Mapping[int, str]]


class CopySource(Protocol):
    """Who knows every time an event was sent: the loader."""

    async def trace(
        self, project_id: int, event_id: str, *, received_at_us: int | None
    ) -> TraceReply:
        """The copies that are kept."""
        ...


class TraceQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The event whose story is asked for."""

    event_id: Annotated[str, msgspec.Meta(description="As it was sent.")]


class JournalEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Where a journal holds the frame of an event."""

    id: str
    position: int


class Resent(msgspec.Struct, frozen=True, kw_only=True):
    """A copy of an event that was not stored, and whether it says the same."""

    received_at: str
    same_body: bool


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """The story of one event."""

    event_id: str
    found: bool
    received_at: str | None
    dialect: str | None
    key_id: str | None
    journal: JournalEntry | None
    outcome: Outcome
    reason: str | None
    visible_at: str | None
    segments: tuple[str, ...]
    duplicates: tuple[Resent, ...]
    complete: bool
    project: str
    lake_file: str | None


TRACE = Operation(
    method="GET",
    path="/v1/events/{event_id}/trace",
    name="trace",
    summary="What became of one event, and every time it was sent.",
    scope=Scope.METRICS,
    request=TraceQuery,
    returns=Trace,
    reply_words=(
        "Its story. `outcome` is `in_flight` until the event is in the lake. `duplicates` are the"
        " copies that were not stored, as far as raw payloads are kept; `complete` is false when"
        " there was no time to search them all. `visible_at` is not recorded."
    ),
    reply=Body(
        examples={
            "stored": {
                "event_id": "0193f3c2-7a10-7000-8000-5f2c6d1e9a01",
                "found": True,
                "received_at": "2026-11-20T12:00:00.000123Z",
                "dialect": "native",
                "key_id": "key_4fT0hJc2LxW9aQ7b",
                "journal": {"id": "00", "position": 4096},
                "outcome": "stored",
                "reason": None,
                "visible_at": None,
                "segments": [],
                "duplicates": [{"received_at": "2026-11-20T12:00:07.5Z", "same_body": True}],
                "complete": True,
                "project": "default",
                "lake_file": "lake/1/1/dt=2026-11-20/00000007-0123456789abcdef.parquet",
            }
        }
    ),
    errors=(401, 403, 404, 405, 429, 431, 503, 504),
)


class TraceSources(NamedTuple):
    """Whom a trace asks."""

    pool: QueryPool
    snapshots: SnapshotSource
    copies: CopySource
    key_names: KeyNames
    slug_of: Callable[[int], str]
    """The name of a project."""
    root: Path


class _Stored(NamedTuple):
    """The row that queries find, and the lake's files at that moment."""

    received_at_us: int | None
    files: Sequence[LakeFile]


class _Rows(msgspec.Struct):
    rows: list[list[int | str]]


def trace_routes(parts: TraceSources, *, authenticate: Authenticate) -> list[Route]:
    """The route of the trace."""

    async def show_trace(principal: Principal, request: TraceQuery) -> Trace:
        event_id = request.event_id
        project = parts.slug_of(principal.project_id)
        unknown = _unknown(project)
        if len(event_id) > EVENT_ID_CHARS_MAX or "\0" in event_id:
            raise unknown
        stored = await _find_stored(parts, principal, event_id)
        found = await parts.copies.trace(
            principal.project_id, event_id, received_at_us=stored.received_at_us
        )
        if stored.received_at_us is None and not found.copies:
            raise unknown
        names = await asyncio.to_thread(parts.key_names, principal.project_id)
        lake_file = await asyncio.to_thread(_lake_file, parts.root, stored, event_id)
        return _story(event_id, stored, found, names, project=project, lake_file=lake_file)

    return [keyed_route(TRACE, show_trace, authenticate)]


async def _find_stored(parts: TraceSources, principal: Principal, event_id: str) -> _Stored:
    query = QueryRequest(
        tenant_id=principal.tenant_id,
        sql=_STORED,
        parameters={"event_id": event_id},
        row_limit=1,
    )
    answer = await ask(
        query, project_id=principal.project_id, pool=parts.pool, snapshots=parts.snapshots
    )
    body = await answer.result.read()
    rows = msgspec.json.decode(body, type=_Rows).rows
    return _Stored(int(rows[0][0]) if rows else None, answer.snapshot.files)


def _story(
    event_id: str,
    stored: _Stored,
    found: TraceReply,
    names: Mapping[int, str],
    *,
    project: str,
    lake_file: str | None,
) -> Trace:
    """The reply. The first copy of those stored is the event itself."""
    at_us = stored.received_at_us
    copies = list(found.copies)
    own = next((each for each in copies if each.received_at_us == at_us), None)
    if own is None and at_us is None:
        own = copies[0]
    others = [each for each in copies if each is not own]
    received_us = own.received_at_us if own is not None else at_us
    return Trace(
        event_id=event_id,
        found=True,
        received_at=None if received_us is None else to_iso(received_us),
        dialect=own.dialect if own else None,
        key_id=names.get(own.key_id) if own else None,
        journal=JournalEntry(id=own.journal_id, position=own.position) if own else None,
        outcome=_outcome(own, at_us),
        reason=own.reason if own else None,
        visible_at=None,
        segments=(),
        duplicates=tuple(
            Resent(
                received_at=to_iso(each.received_at_us),
                same_body=own is not None and each.body_hash == own.body_hash,
            )
            for each in others
        ),
        complete=found.complete,
        project=project,
        lake_file=lake_file,
    )


def _outcome(own: Copy | None, stored_us: int | None) -> Outcome:
    if own is not None and not own.committed:
        return Outcome.IN_FLIGHT
    if own is not None and own.reason is not None:
        return Outcome.DEAD_LETTERED
    return Outcome.IN_FLIGHT if stored_us is None else Outcome.STORED


def _lake_file(root: Path, stored: _Stored, event_id: str) -> str | None:
    """The file of the lake that holds the row; None while the row is in memory."""
    if stored.received_at_us is None:
        return None
    # Imported here: it loads Arrow, which the api process needs for nothing else.
    from weir.lake.search import file_with_id

    day = to_datetime(stored.received_at_us).strftime("%Y-%m-%d")
    return file_with_id(root, (file for file in stored.files if file.day == day), event_id)


def _unknown(project: str) -> NotFound:
    return NotFound(
        f"No event with this id is known in the project {project} of this API key. "
        "One that was just sent may take a second.",
        code="event_not_found",
    )
