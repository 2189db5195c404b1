"""API keys: made, imported, changed, listed, revoked. Each verb runs in the caller's transaction.

Of a key's text only the SHA-256 and the last four characters are stored.
"""

from collections.abc import Callable, Mapping
from ipaddress import ip_network
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, insert, or_, select, update

from weir.control.checks import (
    check_key_change,
    check_key_request,
    check_key_text,
    check_scopes,
)
from weir.control.origins import browser_origin
from weir.control.projects import check_known, find_place
from weir.control.records import (
    AS_TENANT,
    KEY_LIMITS,
    KeyChange,
    KeyKind,
    KeyLimit,
    KeyRecord,
    KeyRequest,
    NewKey,
    set_fields,
    to_microseconds,
    to_time,
)
from weir.control.tables import ENDPOINTS, KEYS, PROJECTS, TENANTS
from weir.domain.keys import Scope, digest_of, is_public, make_key, make_key_id
from weir.domain.registry import KEY_SLOTS_MAX
from weir.errors import Conflict, LimitExceeded, NotFound

SLOT_REST_US = 120_000_000
"""A slot rests two of the limits' minutes after its key ended, so that a new key starts at 0."""

Random = Callable[[int], bytes]


def create_key(
    connection: Connection, request: KeyRequest, *, now_us: int, random: Random
) -> NewKey:
    """A new key with its text. Raises ``InvalidInput`` or ``NotFound`` when it cannot be."""
    text = make_key(public=request.public, live=request.mode == "live", random=random(32))
    kind: KeyKind = "public" if request.public else "secret"
    key = add_key(connection, request, text=text, kind=kind, now_us=now_us, random=random)
    return NewKey(text=text, key=key)


def import_key(
    connection: Connection, request: KeyRequest, *, text: str, now_us: int, random: Random
) -> KeyRecord:
    """A key made elsewhere, so that SDKs in the field go on working.

    Any text of 16 to 512 printable ASCII characters without a space, as a header carries
    it. One that calls itself public is kept as a public key. ``Conflict`` when it is known already,
    revoked ones included.
    """
    check_key_text(text)
    kind: KeyKind = "public" if is_public(text) else "imported"
    return add_key(connection, request, text=text, kind=kind, now_us=now_us, random=random)


def add_key(
    connection: Connection,
    request: KeyRequest,
    *,
    text: str,
    kind: KeyKind,
    now_us: int,
    random: Random,
) -> KeyRecord:
    """Stores a key whose text was made or checked by the caller."""
    check_key_request(request, text=text, now_us=now_us)
    _check_unknown(connection, text)
    place = find_place(
        connection, tenant=request.tenant, project=request.project, endpoint=request.endpoint
    )
    public_id = make_key_id(random(16))
    connection.execute(
        insert(KEYS).values(
            public_id=public_id,
            digest=digest_of(text),
            last_four=text[-4:],
            kind=kind,
            mode=request.mode,
            project_id=place.project_id,
            endpoint_id=place.endpoint_id,
            slot=_free_slot(_held_slots(connection, now_us=now_us)),
            created_at_us=now_us,
            **_columns(msgspec.structs.asdict(request)),
        )
    )
    return _find(connection, public_id)


def change_key(
    connection: Connection, public_id: str, change: KeyChange, *, now_us: int
) -> KeyRecord:
    """Sets what ``change`` sets, for the next request with the key; its project stays.

    Raises ``NotFound`` for an unknown id or endpoint, ``Conflict`` for a revoked key and
    ``InvalidInput`` as ``create_key`` does: a public key stays with ingest alone.
    """
    found = _find(connection, public_id)
    if found.revoked_at is not None:
        raise Conflict(
            f"The key {found.id} was revoked, and a revoked key stays so.",
            code="key_revoked",
            hint="Create another one.",
        )
    check_key_change(change, now_us=now_us)
    fields = set_fields(change)
    if isinstance(change.scopes, tuple):
        check_scopes(change.scopes, public=found.kind == "public")
    columns = _columns(fields)
    if change.endpoint is None or isinstance(change.endpoint, str):
        place = find_place(
            connection, tenant=found.tenant, project=found.project, endpoint=change.endpoint
        )
        columns["endpoint_id"] = place.endpoint_id
    if "expires_at" in fields:
        columns["slot"] = _slot_again(connection, public_id, now_us=now_us)
    if columns:
        connection.execute(update(KEYS).where(KEYS.c.public_id == public_id).values(**columns))
    return _find(connection, public_id)


def list_keys(
    connection: Connection, *, tenant: str | None = None, project: str | None = None
) -> tuple[KeyRecord, ...]:
    """Keys of a tenant and a project, or all, oldest first, revoked ones included.

    A project alone is that slug in every tenant. Raises ``NotFound`` for an unknown slug.
    """
    check_known(connection, tenant=tenant, project=project)
    statement = _SHOWN.order_by(KEYS.c.id)
    if tenant is not None:
        statement = statement.where(TENANTS.c.slug == tenant)
    if project is not None:
        statement = statement.where(PROJECTS.c.slug == project)
    return tuple(_record(row) for row in connection.execute(statement))


def revoke_key(connection: Connection, public_id: str, *, now_us: int) -> KeyRecord:
    """Ends a key for ever. A second time it changes nothing; ``NotFound`` for an unknown id."""
    found = _find(connection, public_id)
    if found.revoked_at is not None:
        return found
    connection.execute(
        update(KEYS).where(KEYS.c.public_id == public_id).values(revoked_at_us=now_us)
    )
    return _find(connection, public_id)


def key_names(connection: Connection, project_id: int) -> dict[int, str]:
    """Public ids of a project's keys by their internal ids, revoked ones included."""
    rows = connection.execute(
        select(KEYS.c.id, KEYS.c.public_id).where(KEYS.c.project_id == project_id)
    )
    return {row.id: row.public_id for row in rows}


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
                columns["expires_at_us"] = value and to_microseconds(value)
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
        created_at=to_time(row.created_at_us),
        expires_at=None if row.expires_at_us is None else to_time(row.expires_at_us),
        revoked_at=None if row.revoked_at_us is None else to_time(row.revoked_at_us),
    )


def _limit(column: int | None) -> KeyLimit:
    """The inverse of what ``_columns`` makes of a limit."""
    return AS_TENANT if column is None else column or None
