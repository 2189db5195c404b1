"""``GET /v1/ledger``: what became of a project's events, per key and minute.

It shows the keys of the credential's project alone, revoked ones included.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal, NamedTuple, Protocol

import msgspec
from starlette.routing import Route

from weir.api.auth import Authenticate
from weir.api.operation import Operation
from weir.api.routing import keyed_route
from weir.clock import Clock
from weir.domain.described import Body
from weir.domain.keys import Scope
from weir.domain.outcome import LedgerRow
from weir.domain.registry import Principal
from weir.domain.times import MINUTE_US, SECOND_US, to_us
from weir.errors import InvalidInput

DEFAULT_MINUTES = 60

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


class LedgerQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The range of the ledger as it is asked for."""

    from_: Annotated[
        str | msgspec.UnsetType,
        msgspec.Meta(description="ISO 8601 or Unix seconds; an hour before `to` if absent."),
    ] = msgspec.field(name="from", default=msgspec.UNSET)
    to: Annotated[
        str | msgspec.UnsetType,
        msgspec.Meta(description="ISO 8601 or Unix seconds, not included; now if absent."),
    ] = msgspec.UNSET
    by: Annotated[By, msgspec.Meta(description="A row per key and minute, or one per key.")] = (
        "minute"
    )


class LedgerItem(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of one key, of one minute or (``minute`` is null) of the whole range."""

    key_id: str
    minute: str | None
    received: int
    rejected: int
    accepted: int
    stored: int
    duplicate: int
    duplicate_conflict: int
    dead_lettered: int
    quarantined: int
    lost: int
    in_flight: int


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a project's events; ``balance`` is 0 when each has an outcome."""

    items: list[LedgerItem]
    balance: int


class LedgerRange(NamedTuple):
    """Minutes since 1970, half-open, and whether they are summed up."""

    from_minute: int
    to_minute: int
    by: By


LEDGER = Operation(
    method="GET",
    path="/v1/ledger",
    name="ledger",
    summary="What became of the project's events, per key and minute.",
    scope=Scope.METRICS,
    request=LedgerQuery,
    returns=Ledger,
    reply_words="The counts. `balance` is 0 when every accepted event has an outcome.",
    reply=Body(
        examples={
            "minute": {
                "items": [
                    {
                        "key_id": "key_4fT0hJc2LxW9aQ7b",
                        "minute": "2026-11-20T12:00:00Z",
                        "received": 101,
                        "rejected": 1,
                        "accepted": 100,
                        "stored": 90,
                        "duplicate": 4,
                        "duplicate_conflict": 0,
                        "dead_lettered": 0,
                        "quarantined": 0,
                        "lost": 0,
                        "in_flight": 6,
                    }
                ],
                "balance": 0,
            }
        }
    ),
    errors=(400, 401, 403, 405, 431, 503),
)


def ledger_routes(
    ledger: LedgerSource,
    *,
    authenticate: Authenticate,
    key_names: KeyNames,
    clock: Clock,
    minutes_max: int,
) -> list[Route]:
    """The route of the ledger."""

    async def show_ledger(principal: Principal, request: LedgerQuery) -> Ledger:
        asked = parse_range(request, now_us=clock.now_us(), minutes_max=minutes_max)
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
        return Ledger(items=items, balance=sum(row.balance for row in rows))

    return [keyed_route(LEDGER, show_ledger, authenticate)]


def parse_range(asked: LedgerQuery, *, now_us: int, minutes_max: int) -> LedgerRange:
    """The range asked for: ``from`` rounded down, ``to`` (default now) up to whole minutes.

    ``from`` defaults to an hour before ``to``. Raises ``InvalidInput``.
    """
    to_us = _parse_time(asked.to, "to")
    to_minute = -(-(now_us if to_us is None else to_us) // MINUTE_US)
    from_us = _parse_time(asked.from_, "from")
    from_minute = to_minute - DEFAULT_MINUTES if from_us is None else from_us // MINUTE_US
    if from_minute >= to_minute:
        raise _invalid("from", "must lie before 'to'")
    if to_minute - from_minute > minutes_max:
        raise _invalid("from", f"must be at most {minutes_max} minutes before 'to'")
    return LedgerRange(from_minute, to_minute, asked.by)


def _item(row: LedgerRow, key_name: str, *, by: By) -> LedgerItem:
    counts = msgspec.structs.asdict(row)
    del counts["key_id"], counts["minute"]
    start = datetime.fromtimestamp(row.minute * 60, UTC)
    minute = f"{start:%Y-%m-%dT%H:%M:00Z}" if by == "minute" else None
    return LedgerItem(key_id=key_name, minute=minute, **counts)


def _parse_time(text: str | msgspec.UnsetType, field: str) -> int | None:
    if text is msgspec.UNSET:
        return None
    try:
        return _microseconds_of(text)
    except (ValueError, OverflowError) as error:
        raise _invalid(field, "must be an ISO 8601 time or Unix seconds") from error


def _microseconds_of(text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) <= 11:
        return int(text) * SECOND_US
    # An unescaped plus sign of a zone arrives as a space.
    time = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    return to_us(time)


def _invalid(field: str, message: str) -> InvalidInput:
    return InvalidInput(f"{field} {message}.", details=[{"field": field, "message": message}])
