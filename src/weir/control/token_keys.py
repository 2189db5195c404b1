"""The keys that sign access tokens: made, rotated, listed.

One key signs: the one without an end. Rotation gives it an end and takes its private half away;
until then tokens that it signed are good. What has ended is deleted by the next rotation.
"""

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Connection, delete, insert, or_, select, update

from weir.clock import Clock
from weir.control.records import TokenKeyRecord, TokenKeyRotation
from weir.control.store.tables import TOKEN_KEYS
from weir.control.store.transactions import Transactions
from weir.domain.times import to_datetime

if TYPE_CHECKING:
    from weir.tokens.signature import KeyPair


class Signer(NamedTuple):
    """What signs: the key's name and its private half."""

    kid: str
    private: bytes

    def __repr__(self) -> str:
        """Without the private half, so that no log or traceback can carry it."""
        return f"Signer(kid={self.kid!r})"


class TokenKeys:
    """The signing keys of a node."""

    __slots__ = ("_clock", "_transactions")

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def signer(self) -> Signer:
        """Returns what signs access tokens now; made when there is none yet."""
        with self._transactions.read() as connection:
            found = _find_signer(connection)
        if found is not None:
            return found
        pair = _new_pair()
        with self._transactions.change() as connection:
            # Another call may have been faster.
            found = _find_signer(connection)
            return found or _add(connection, pair, now_us=self._clock.now_us())

    def rotate(self, asked: TokenKeyRotation) -> tuple[TokenKeyRecord, ...]:
        """Lets a new key sign, and every other verify ``overlap_s`` more at most.

        Returns the keys that are left.
        """
        pair = _new_pair()
        with self._transactions.change() as connection:
            now_us = self._clock.now_us()
            ends_at_us = now_us + asked.overlap_s * 1_000_000
            ends = TOKEN_KEYS.c.ends_at_us
            connection.execute(
                update(TOKEN_KEYS)
                .where(or_(ends.is_(None), ends > ends_at_us))
                .values(ends_at_us=ends_at_us, private=None)
            )
            connection.execute(delete(TOKEN_KEYS).where(ends <= now_us))
            _add(connection, pair, now_us=now_us)
            return _list(connection, now_us=now_us)

    def list(self) -> tuple[TokenKeyRecord, ...]:
        """Returns the keys that sign or verify, oldest first."""
        with self._transactions.read() as connection:
            return _list(connection, now_us=self._clock.now_us())


def _new_pair() -> "KeyPair":
    """A new signing key, not stored yet; takes tenths of a second."""
    # Imported here: most starts of control sign nothing.
    from weir.tokens.signature import make_pair

    return make_pair()


def _find_signer(connection: Connection) -> Signer | None:
    row = connection.execute(
        select(TOKEN_KEYS.c.kid, TOKEN_KEYS.c.private).where(TOKEN_KEYS.c.ends_at_us.is_(None))
    ).one_or_none()
    return None if row is None else Signer(row.kid, row.private)


def _list(connection: Connection, *, now_us: int) -> tuple[TokenKeyRecord, ...]:
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
            created_at=to_datetime(row.created_at_us),
            ends_at=None if row.ends_at_us is None else to_datetime(row.ends_at_us),
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
