"""``GET /v1/ledger``: what became of a project's events, per key and minute.

Needs the scope ``metrics``; shows the keys of
the credential's project alone, revoked ones included.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple, Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weir.api.auth import Authenticate
from weir.api.replies import json_reply
from weir.clock import Clock
from weir.domain.keys import Scope
from weir.domain.outcome import MINUTE_US, LedgerRow
from weir.errors import InvalidInput
from weir.settings import Settings

DEFAULT_MINUTES = 60
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

By = Literal["minute", "total"]

KeyNames = Callable[[int], Mapping[int, str]]
"""Public ids of a project's keys by their internal ids; may wait for a disk."""


class LedgerSource(Protocol):
    """Who counts the events: the loader."""

    async def ledger(
        self, *, key_ids: Collection[int], from_minute: int, to_minute: int, by: By
    ) -> Sequence[LedgerRow]:
        """Counts of the keys in the half-open range: a row per key and minute, or one per key.

        Raises ``Unavailable`` when the loader does not answer.
        """
        ...


class LedgerRange(NamedTuple):
    """Minutes since 1970, half-open, and whether they are summed up."""

    from_minute: int
    to_minute: int
    by: By


def ledger_routes(
    ledger: LedgerSource,
    *,
    authenticate: Authenticate,
    key_names: KeyNames,
    clock: Clock,
    settings: Settings,
) -> list[Route]:
    """The route of the ledger."""

    async def show_ledger(request: Request) -> Response:
        principal = authenticate(request)
        principal.require(Scope.METRICS)
        asked = parse_range(
            request.query_params, now_us=clock.now_us(), minutes_max=settings.ledger_minutes_max
        )
        names = await asyncio.to_thread(key_names, principal.project_id)
        found = await ledger.ledger(
            key_ids=names.keys(),
            from_minute=asked.from_minute,
            to_minute=asked.to_minute,
            by=asked.by,
        )
        # Whatever the source gave: only what the project's own keys sent is shown.
        rows = [row for row in found if row.key_id in names]
        items = [_item(row, names[row.key_id], by=asked.by) for row in rows]
        return json_reply({"items": items, "balance": sum(row.balance for row in rows)})

    return [Route("/v1/ledger", show_ledger, methods=["GET"])]


def parse_range(query: Mapping[str, str], *, now_us: int, minutes_max: int) -> LedgerRange:
    """The range asked for: ``from`` rounded down, ``to`` (default now) up to whole minutes.

    ``from`` defaults to an hour before ``to``. Raises ``InvalidInput``.
    """
    by = _parse_by(query)
    to_us = _parse_time(query, "to")
    to_minute = -(-(now_us if to_us is None else to_us) // MINUTE_US)
    from_us = _parse_time(query, "from")
    from_minute = to_minute - DEFAULT_MINUTES if from_us is None else from_us // MINUTE_US
    if from_minute >= to_minute:
        raise _invalid("from", "must lie before 'to'")
    if to_minute - from_minute > minutes_max:
        raise _invalid("from", f"must be at most {minutes_max} minutes before 'to'")
    return LedgerRange(from_minute, to_minute, by)


def _item(row: LedgerRow, key_name: str, *, by: By) -> dict[str, object]:
    item = msgspec.structs.asdict(row)
    start = datetime.fromtimestamp(row.minute * 60, UTC)
    item["key_id"] = key_name
    item["minute"] = f"{start:%Y-%m-%dT%H:%M:00Z}" if by == "minute" else None
    return item


def _parse_by(query: Mapping[str, str]) -> By:
    match query.get("by", "minute"):
        case "minute":
            return "minute"
        case "total":
            return "total"
    raise _invalid("by", "must be 'minute' or 'total'")


def _parse_time(query: Mapping[str, str], field: str) -> int | None:
    text = query.get(field)
    if text is None:
        return None
    try:
        return _microseconds_of(text)
    except (ValueError, OverflowError) as error:
        raise _invalid(field, "must be an ISO 8601 time or Unix seconds") from error


def _microseconds_of(text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) <= 11:
        return int(text) * 1_000_000
    # An unescaped plus sign of a zone arrives as a space.
    time = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


def _invalid(field: str, message: str) -> InvalidInput:
    return InvalidInput(f"{field} {message}.", details=[{"field": field, "message": message}])
