"""The keys that sign access tokens: made, rotated, listed. Verbs run in the caller's transaction.

One key signs: the one without an end. Rotation gives it an end and takes its private half away;
until then tokens that it signed are good. What has ended is deleted by the next rotation.
"""

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Connection, delete, insert, or_, select, update

from weir.control.records import TokenKeyRecord, to_time
from weir.control.tables import TOKEN_KEYS

if TYPE_CHECKING:
    from weir.tokens.signature import KeyPair


class Signer(NamedTuple):
    """What signs: the key's name and its private half."""

    kid: str
    private: bytes

    def __repr__(self) -> str:
        """Without the private half, so that no log or traceback can carry it."""
        return f"Signer(kid={self.kid!r})"


def new_pair() -> "KeyPair":
    """A new signing key, not stored yet; takes tenths of a second."""
    # Imported here: most starts of control sign nothing.
    from weir.tokens.signature import make_pair

    return make_pair()


def find_signer(connection: Connection) -> Signer | None:
    """The key that signs, if there is one."""
    row = connection.execute(
        select(TOKEN_KEYS.c.kid, TOKEN_KEYS.c.private).where(TOKEN_KEYS.c.ends_at_us.is_(None))
    ).one_or_none()
    return None if row is None else Signer(row.kid, row.private)


def add_first(connection: Connection, pair: "KeyPair", *, now_us: int) -> Signer:
    """Stores ``pair`` unless another call was faster; what signs now."""
    found = find_signer(connection)
    return found or _add(connection, pair, now_us=now_us)


def rotate(
    connection: Connection, pair: "KeyPair", *, overlap_s: int, now_us: int
) -> tuple[TokenKeyRecord, ...]:
    """Lets ``pair`` sign, and every other key verify ``overlap_s`` more at most; what is left."""
    ends_at_us = now_us + overlap_s * 1_000_000
    ends = TOKEN_KEYS.c.ends_at_us
    connection.execute(
        update(TOKEN_KEYS)
        .where(or_(ends.is_(None), ends > ends_at_us))
        .values(ends_at_us=ends_at_us, private=None)
    )
    connection.execute(delete(TOKEN_KEYS).where(ends <= now_us))
    _add(connection, pair, now_us=now_us)
    return list_keys(connection, now_us=now_us)


def list_keys(connection: Connection, *, now_us: int) -> tuple[TokenKeyRecord, ...]:
    """The keys that sign or verify, oldest first."""
    ends = TOKEN_KEYS.c.ends_at_us
    rows = connection.execute(
        select(TOKEN_KEYS.c.kid, TOKEN_KEYS.c.created_at_us, ends)
        .where(or_(ends.is_(None), ends > now_us))
        .order_by(TOKEN_KEYS.c.id)
    )
    return tuple(
        TokenKeyRecord(
            id=row.kid,
            signs=row.ends_at_us is None,
            created_at=to_time(row.created_at_us),
            ends_at=None if row.ends_at_us is None else to_time(row.ends_at_us),
        )
        for row in rows
    )


def _add(connection: Connection, pair: "KeyPair", *, now_us: int) -> Signer:
    connection.execute(
        insert(TOKEN_KEYS).values(
            kid=pair.kid, public=pair.public, private=pair.private, created_at_us=now_us
        )
    )
    return Signer(pair.kid, pair.private)
