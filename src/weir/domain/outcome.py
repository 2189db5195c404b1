"""What becomes of an event: exactly one outcome, from this closed list."""

from enum import StrEnum

import msgspec


class Outcome(StrEnum):
    """The fates of an accepted event. ``in_flight`` is the only one that changes."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    DEAD_LETTERED = "dead_lettered"
    QUARANTINED = "quarantined"
    LOST = "lost"
    IN_FLIGHT = "in_flight"


UNATTRIBUTED_KEY = 0
"""Key id for events whose frame cannot be read, so that nobody knows who sent them."""


class LedgerRow(msgspec.Struct, frozen=True):
    """Counts of one key in one minute of ``received_at``, in events.

    ``received = accepted + rejected``;
    ``accepted = stored + duplicate + dead_lettered + quarantined + lost + in_flight``.
    ``duplicate_conflict`` is the part of ``duplicate`` whose body differed from the first's.
    ``minute`` counts minutes since 1970 in UTC.
    """

    key_id: int
    minute: int
    received: int = 0
    rejected: int = 0
    accepted: int = 0
    stored: int = 0
    duplicate: int = 0
    duplicate_conflict: int = 0
    dead_lettered: int = 0
    quarantined: int = 0
    lost: int = 0
    in_flight: int = 0

    @property
    def balance(self) -> int:
        """Accepted events that no outcome explains; anything but 0 is a bug."""
        explained = self.stored + self.duplicate + self.dead_lettered
        return self.accepted - explained - self.quarantined - self.lost - self.in_flight
