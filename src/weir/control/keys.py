"""API keys: made, imported, changed, listed, revoked.

Of a key's text only the SHA-256 and the last four characters are stored.
"""

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, insert, or_, select, update

from weir.clock import Clock
from weir.control.checks import (
    check_key_change,
    check_key_request,
    check_key_text,
    check_scopes,
)
from weir.control.origins import browser_origin
from weir.control.projects import Random, check_known, find_endpoint
from weir.control.records import (
    AS_TENANT,
    KEY_LIMITS,
    KeyChange,
    KeyFilter,
    KeyImport,
    KeyKind,
    KeyLimit,
    KeyRecord,
    KeyRequest,
    NewKey,
    set_fields,
)
from weir.control.store.tables import ENDPOINTS, KEYS, PROJECTS, TENANTS
from weir.control.store.transactions import Transactions
from weir.domain.keys import Scope, digest_of, is_public, make_key, make_key_id
from weir.domain.registry import KEY_SLOTS_MAX
from weir.domain.times import to_datetime, to_us
from weir.errors import Conflict, LimitExceeded, NotFound

SLOT_REST_US = 120_000_000
"""A slot rests two of the limits' minutes after its key ended, so that a new key starts at 0."""


class Keys:
    """The API keys of a node."""

    __slots__ = ("_clock", "_random", "_transactions")

    def __init__(self, transactions: Transactions, clock: Clock, random: Random) -> None:
        self._transactions = transactions
        self._clock = clock
        self._random = random

    def create(self, asked: KeyRequest) -> NewKey:
        """Makes a key; the reply is the only time that its text is given.

        Raises ``InvalidInput``, ``NotFound`` or ``LimitExceeded`` when it cannot be.
        """
        text = make_key(public=asked.public, live=asked.mode == "live", random=self._random(32))
        key = self._add(asked, text=text, kind="public" if asked.public else "secret")
        return NewKey(text=text, key=key)

    def import_key(self, asked: KeyImport) -> KeyRecord:
        """Takes in a key made elsewhere, so that SDKs in the field go on working.

        Any text of 16 to 512 printable ASCII characters without a space, as a header carries it.
        One that calls itself public is kept as a public key. Raises ``Conflict`` when it is known
        already, revoked ones included.
        """
        check_key_text(asked.text)
        kind: KeyKind = "public" if is_public(asked.text) else "imported"
        return self._add(asked.key, text=asked.text, kind=kind)

    def list(self, asked: KeyFilter) -> tuple[KeyRecord, ...]:
        """Returns keys of a tenant and a project, or all, oldest first, revoked ones included.

        A project alone is that slug in every tenant. Raises ``NotFound`` for an unknown slug.
        """
        statement = _SHOWN.order_by(KEYS.c.id)
        if asked.tenant is not None:
            statement = statement.where(TENANTS.c.slug == asked.tenant)
        if asked.project is not None:
            statement = statement.where(PROJECTS.c.slug == asked.project)
        with self._transactions.read() as connection:
            check_known(connection, tenant=asked.tenant, project=asked.project)
            return tuple(_record(row) for row in connection.execute(statement))

    def change(self, asked: KeyChange) -> KeyRecord:
        """Sets what a key may do, for the next request with it; its project stays.

        Raises ``NotFound`` for an unknown id or endpoint, ``Conflict`` for a revoked key and
        ``InvalidInput`` as ``create`` does: a public key stays with ingest alone.
        """
        with self._transactions.change() as connection:
            found = _find(connection, asked.id)
            columns = _changed_columns(connection, found, asked, now_us=self._clock.now_us())
            if columns:
                own = KEYS.c.public_id == asked.id
                connection.execute(update(KEYS).where(own).values(**columns))
            return _find(connection, asked.id)

    def revoke(self, public_id: str) -> KeyRecord:
        """Ends a key for ever: once this returns, the next request with it is refused.

        A second time it changes nothing. Raises ``NotFound`` for an unknown id.
        """
        own = KEYS.c.public_id == public_id
        with self._transactions.change() as connection:
            if _find(connection, public_id).revoked_at is None:
                revoked = update(KEYS).where(own).values(revoked_at_us=self._clock.now_us())
                connection.execute(revoked)
            return _find(connection, public_id)

    def names(self, project_id: int) -> dict[int, str]:
        """Returns public ids of a project's keys by internal ids, revoked ones included."""
        statement = select(KEYS.c.id, KEYS.c.public_id).where(KEYS.c.project_id == project_id)
        with self._transactions.read() as connection:
            return {row.id: row.public_id for row in connection.execute(statement)}

    def _add(self, asked: KeyRequest, *, text: str, kind: KeyKind) -> KeyRecord:
        with self._transactions.change() as connection:
            now_us = self._clock.now_us()
            return add_key(
                connection, asked, text=text, kind=kind, now_us=now_us, random=self._random
            )


def add_key(
    connection: Connection,
    asked: KeyRequest,
    *,
    text: str,
    kind: KeyKind,
    now_us: int,
    random: Random,
) -> KeyRecord:
    """Stores a key in the caller's transaction; its text was made or checked there."""
    check_key_request(asked, text=text, now_us=now_us)
    _check_unknown(connection, text)
    target = find_endpoint(
        connection, tenant=asked.tenant, project=asked.project, endpoint=asked.endpoint
    )
    public_id = make_key_id(random(16))
    connection.execute(
        insert(KEYS).values(
            public_id=public_id,
            digest=digest_of(text),
            last_four=text[-4:],
            kind=kind,
            mode=asked.mode,
            project_id=target.project_id,
            endpoint_id=target.endpoint_id,
            slot=_free_slot(_held_slots(connection, now_us=now_us)),
            created_at_us=now_us,
            **_columns(msgspec.structs.asdict(asked)),
        )
    )
    return _find(connection, public_id)


def _changed_columns(
    connection: Connection, key: KeyRecord, asked: KeyChange, *, now_us: int
) -> dict[str, object]:
    if key.revoked_at is not None:
        raise Conflict(
            f"The key {key.id} was revoked, and a revoked key stays so.",
            code="key_revoked",
            hint="Create another one.",
        )
    check_key_change(asked, now_us=now_us)
    if isinstance(asked.scopes, tuple):
        check_scopes(asked.scopes, public=key.kind == "public")
    fields = set_fields(asked)
    columns = _columns(fields)
    if asked.endpoint is None or isinstance(asked.endpoint, str):
        target = find_endpoint(
            connection, tenant=key.tenant, project=key.project, endpoint=asked.endpoint
        )
        columns["endpoint_id"] = target.endpoint_id
    if "expires_at" in fields:
        columns["slot"] = _slot_again(connection, key.id, now_us=now_us)
    return columns


def _check_unknown(connection: Connection, text: str) -> None:
    statement = select(KEYS.c.public_id, KEYS.c.revoked_at_us).where(
        KEYS.c.digest == digest_of(text)
    )
    known = connection.execute(statement).one_or_none()
    if known is None:
        return
    if known.revoked_at_us is None:
        state, hint = "known", f"Change what it may do with: weir keys change {known.public_id}"
    else:
        state, hint = "revoked, and a revoked key stays so", "Make or import another one."
    raise Conflict(f"This key is already {state}: {known.public_id}.", code="key_known", hint=hint)


def _columns(fields: Mapping[str, Any]) -> dict[str, object]:
    """A request's fields as the table holds them; those that are no columns are left out."""
    columns: dict[str, object] = {}
    for field, value in fields.items():
        match field:
            case "name":
                columns[field] = value
            case "scopes":
                columns[field] = sorted({scope.value for scope in value})
            case "networks":
                columns[field] = [str(ip_network(network)) for network in value]
            case "origins":
                columns[field] = list(dict.fromkeys(map(browser_origin, value)))
            case "expires_at":
                columns["expires_at_us"] = value and to_us(value)
            case _ if field in KEY_LIMITS:
                columns[field] = None if value == AS_TENANT else value or 0
    return columns


def _slot_again(connection: Connection, public_id: str, *, now_us: int) -> int:
    """The key's slot, or another one when a key of after its end has that."""
    own = connection.scalar(select(KEYS.c.slot).where(KEYS.c.public_id == public_id))
    others = _held_slots(connection, now_us=now_us, without=public_id)
    return own if own is not None and own not in others else _free_slot(others)


def _held_slots(connection: Connection, *, now_us: int, without: str = "") -> set[int]:
    """Slots of live keys, and of those that ended within ``SLOT_REST_US``."""
    rested = now_us - SLOT_REST_US
    return set(
        connection.scalars(
            select(KEYS.c.slot).where(
                KEYS.c.public_id != without,
                or_(KEYS.c.revoked_at_us.is_(None), KEYS.c.revoked_at_us > rested),
                or_(KEYS.c.expires_at_us.is_(None), KEYS.c.expires_at_us > rested),
            )
        )
    )


def _free_slot(held: set[int]) -> int:
    slot = next(slot for slot in range(len(held) + 1) if slot not in held)
    if slot >= KEY_SLOTS_MAX:
        raise LimitExceeded(
            f"The node has {KEY_SLOTS_MAX} live keys, which is its limit.",
            code="too_many_keys",
            hint="Revoke keys that are not used.",
        )
    return slot


_SHOWN: Select[tuple[object, ...]] = (
    select(
        KEYS,
        PROJECTS.c.slug.label("project"),
        TENANTS.c.slug.label("tenant"),
        ENDPOINTS.c.public_id.label("endpoint"),
    )
    .join_from(KEYS, PROJECTS, KEYS.c.project_id == PROJECTS.c.id)
    .join(TENANTS, PROJECTS.c.tenant_id == TENANTS.c.id)
    .join(ENDPOINTS, KEYS.c.endpoint_id == ENDPOINTS.c.id)
)


def _find(connection: Connection, public_id: str) -> KeyRecord:
    row = connection.execute(_SHOWN.where(KEYS.c.public_id == public_id)).one_or_none()
    if row is None:
        raise NotFound(
            f"There is no key '{public_id[:80]}'.",
            code="key_not_found",
            hint="List the keys to see their ids; an id begins with key_.",
        )
    return _record(row)


def _record(row: Row[tuple[object, ...]]) -> KeyRecord:
    return KeyRecord(
        id=row.public_id,
        name=row.name,
        kind=row.kind,
        mode=row.mode,
        last_four=row.last_four,
        tenant=row.tenant,
        project=row.project,
        endpoint=row.endpoint,
        scopes=tuple(Scope(scope) for scope in row.scopes),
        networks=tuple(row.networks),
        origins=tuple(row.origins),
        requests_per_minute=_limit(row.requests_per_minute),
        events_per_minute=_limit(row.events_per_minute),
        created_at=to_datetime(row.created_at_us),
        expires_at=None if row.expires_at_us is None else to_datetime(row.expires_at_us),
        revoked_at=None if row.revoked_at_us is None else to_datetime(row.revoked_at_us),
    )


def _limit(column: int | None) -> KeyLimit:
    """The inverse of what ``_columns`` makes of a limit."""
    return AS_TENANT if column is None else column or None
